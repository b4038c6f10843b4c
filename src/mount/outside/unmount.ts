import { closeSync, fsyncSync, openSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ImageError } from '../../errors.js'
import { cleanStale } from '../../fuse/mountpoint.js'
import { detach } from '../../fuse/unmount.js'
import { describeErrno, errno } from '../../libc/errno.js'
import type { FoldersStatus, MountStatus } from '../status/status.js'
import { findImageMount } from './find-image-mount.js'
import { findServer } from './find-server.js'
import { holdersOf } from './holders.js'
import { isRunning, startTime } from './process-table.js'
import { hasFolders, readStatus } from './read-status.js'

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
  const { mountpoint, minor, readOnly } = findImageMount(path)
  if (cleanStale(mountpoint)) return true
  const status = statusToUnmount(mountpoint, path)
  const server = status?.pid ?? findServer(minor)
  const started = server === null ? null : startTime(server)
  if (status !== null && !readOnly) {
    for (const place of writablePlaces(mountpoint, status)) await settle(place, path)
  }
  detachOrNameHolders(mountpoint, server, path)
  if (server === null) return false
  while (isRunning(server, started)) await sleep(POLL)
  return true
}

/** Null of a mount that root may end, but not look at. */
function statusToUnmount(mountpoint: string, path: string): MountStatus | FoldersStatus | null {
  try {
    return readStatus(mountpoint)
  } catch (error) {
    if (!(error instanceof ImageError) || error.errno !== errno.EACCES) throw error
    if (process.geteuid!() === 0) return null
    throw new ImageError('MOUNT', `${path}: is another user's mount; let that user or root unmount it`, {
      errno: errno.EPERM,
      cause: error,
    })
  }
}

function detachOrNameHolders(mountpoint: string, server: number | null, path: string): void {
  try {
    detach(mountpoint)
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

async function settle(place: string, path: string): Promise<void> {
  flush(statSync(place).isFile() ? place : join(place, 'disk.raw'), path)
  await untilBaseHasAll(place, path)
}

/** With --write-base=writeback the base gets what was flushed a little later. */
async function untilBaseHasAll(place: string, path: string): Promise<void> {
  for (;;) {
    const { baseWrites, chain } = readStatus(place) as MountStatus
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

function flush(disk: string, path: string): void {
  const fd = openSync(disk, 'r')
  try {
    fsyncSync(fd)
  } catch (error) {
    const number = Math.abs((error as NodeJS.ErrnoException).errno ?? errno.EIO)
    throw new ImageError(
      'IO',
      `${path}: what was written cannot be made durable: ${describeErrno(number)}; it stays mounted: save what you need, then use umount`,
      { errno: number, cause: error },
    )
  } finally {
    closeSync(fd)
  }
}
