import { open, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ImageError } from '../../errors.js'
import { type MountEntry, readMountTable } from '../../fuse/mount-table.js'
import { cleanStale } from '../../fuse/mountpoint.js'
import { detach, detachWithProgram } from '../../fuse/unmount.js'
import { describeErrno, errno } from '../../libc/errno.js'
import type { FoldersStatus, MountStatus } from '../status/status.js'
import { findImageMount } from './find-image-mount.js'
import { findServer } from './find-server.js'
import { holdersOf } from './holders.js'
import { isRunning, startTime } from './process-table.js'
import { hasFolders } from './read-status.js'
import { StatusAsker } from './status-asker.js'

/** Milliseconds between two looks whether the daemon has ended. */
const POLL = 5

/** The same, whether the base has got everything. */
const LOOK = 50

/**
 * Unmounts, and returns when the image is closed and clean, where umount(8) returns while the daemon still writes. What
 * cannot be made durable is told before anything is unmounted. Throws ImageError MOUNT; with errno EBUSY and the names
 * of the holders when the mount is in use.
 *
 * Root unmounts what is another user's, too, though it cannot be asked nor flushed. False when the process that served it was
 * not found, and so was not waited for.
 */
export async function unmountImage(path: string): Promise<boolean> {
  const mount = findImageMount(path)
  const asker = new StatusAsker(mount)
  try {
    return await unmountAsking(asker, mount, path)
  } finally {
    asker.close()
  }
}

async function unmountAsking(asker: StatusAsker, mount: MountEntry, path: string): Promise<boolean> {
  const { mountpoint, minor, readOnly } = mount
  const answer = await statusToUnmount(asker, path)
  if (answer === 'dead') {
    cleanStale(mountpoint)
    return true
  }
  const status = answer === 'private' ? null : answer
  const server = status?.pid ?? findServer(minor)
  const started = server === null ? null : startTime(server)
  if (status !== null && !readOnly) {
    for (const place of writablePlaces(mountpoint, status)) await settle(asker, place, path)
  }
  await detachOrNameHolders(mountpoint, server, path, status !== null)
  refuseToWaitForOthers(mount, path)
  if (server === null) return false
  while (isRunning(server, started)) await sleep(POLL)
  return true
}

/** The daemon goes on for as long as its disk is seen anywhere, as by mount --bind. */
function refuseToWaitForOthers({ device, source, type }: MountEntry, path: string): void {
  const others = readMountTable().filter(
    other => other.device === device && other.source === source && other.type === type,
  )
  if (others.length === 0) return
  const places = others.map(({ mountpoint }) => mountpoint).join(', ')
  throw new ImageError(
    'MOUNT',
    `${path}: is gone, but what was mounted there is mounted on ${places} as well, and goes on: end it there, too, with 'rawmount umount'`,
    { errno: errno.EBUSY },
  )
}

/** 'private': of a mount that root may end, but not look at. */
async function statusToUnmount(
  asker: StatusAsker,
  path: string,
): Promise<MountStatus | FoldersStatus | 'dead' | 'private'> {
  try {
    return await asker.ask()
  } catch (error) {
    if (!(error instanceof ImageError)) throw error
    if (error.errno === errno.ENOTCONN) return 'dead'
    if (error.errno !== errno.EACCES) throw error
    if (process.geteuid!() === 0) return 'private'
    throw notYours(path, error)
  }
}

function notYours(path: string, cause: unknown): ImageError {
  return new ImageError('MOUNT', `${path}: is another user's mount; let that user or root unmount it`, {
    errno: errno.EPERM,
    cause,
  })
}

/** `answers`: the daemon has just answered. Of another one a process waits that can be left alone. */
async function detachOrNameHolders(
  mountpoint: string,
  server: number | null,
  path: string,
  answers: boolean,
): Promise<void> {
  try {
    if (answers) detach(mountpoint)
    else await detachWithProgram(mountpoint)
  } catch (error) {
    if (!(error instanceof ImageError) || error.errno !== errno.EBUSY) throw error
    const holders = holdersOf(mountpoint, server)
    const who = holders.length === 0 ? 'another program' : holders.join(', ')
    throw new ImageError('MOUNT', `${path}: is in use by ${who}; end that first`, {
      errno: errno.EBUSY,
      cause: error,
    })
  }
}

/** The mount point, or in a mount of many images their folders. */
function writablePlaces(mountpoint: string, status: MountStatus | FoldersStatus): string[] {
  if (!hasFolders(status)) return [mountpoint]
  return status.images.filter(({ readOnly }) => !readOnly).map(({ folder }) => join(mountpoint, folder))
}

async function settle(asker: StatusAsker, place: string, path: string): Promise<void> {
  await flush((await stat(place)).isFile() ? place : join(place, 'disk.raw'), path)
  await untilBaseHasAll(asker, place, path)
}

/** With --write-base=writeback the base gets what was flushed a little later. */
async function untilBaseHasAll(asker: StatusAsker, place: string, path: string): Promise<void> {
  for (;;) {
    const { baseWrites, chain } = (await asker.ask(place)) as MountStatus
    if (!baseWrites || baseWrites.behind === 0) return
    if (baseWrites.errno !== 0) {
      throw new ImageError(
        'IO',
        `${path}: the base ${chain[1]?.filename} has not got everything that was written: ${describeErrno(baseWrites.errno)}; it stays mounted: put the storage right, wait a minute, and unmount again`,
        { errno: baseWrites.errno },
      )
    }
    await sleep(LOOK)
  }
}

/** Takes as long as it takes; on another thread, so that a signal ends this process meanwhile. */
async function flush(disk: string, path: string): Promise<void> {
  // Let in by --allow-other, and yet not its owner.
  const file = await open(disk, 'r').catch(error => {
    throw error.code === 'EACCES' ? notYours(path, error) : error
  })
  try {
    await file.sync()
  } catch (error) {
    const number = Math.abs((error as NodeJS.ErrnoException).errno ?? errno.EIO)
    throw new ImageError(
      'IO',
      `${path}: what was written cannot be made durable: ${describeErrno(number)}; it stays mounted: save what you need, then use umount`,
      { errno: number, cause: error },
    )
  } finally {
    await file.close()
  }
}
