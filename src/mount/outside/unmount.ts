import { closeSync, fsyncSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ImageError } from '../../errors.js'
import { cleanStale } from '../../fuse/mountpoint.js'
import { detach } from '../../fuse/unmount.js'
import { describeErrno, errno } from '../../libc/errno.js'
import { findImageMount } from './find-image-mount.js'
import { holdersOf } from './holders.js'
import { isRunning, startTime } from './process-table.js'
import { readStatus } from './read-status.js'

/** Milliseconds between two looks whether the daemon has ended. */
const POLL = 5

/** The same, whether the base has got everything. */
const LOOK = 50

/**
 * Unmounts, and returns when the image is closed and clean, where umount(8) returns while the daemon still writes. What
 * cannot be made durable is told before anything is unmounted. Throws ImageError MOUNT; with errno EBUSY and the names
 * of the holders when the mount is in use.
 */
export async function unmountImage(path: string): Promise<void> {
  const { mountpoint, readOnly } = findImageMount(path)
  if (cleanStale(mountpoint)) return
  const { pid } = readStatus(mountpoint)
  const started = startTime(pid)
  if (!readOnly) {
    flush(join(mountpoint, 'disk.raw'), path)
    await untilBaseHasAll(mountpoint, path)
  }
  try {
    detach(mountpoint)
  } catch (error) {
    if (!(error instanceof ImageError) || error.errno !== errno.EBUSY) throw error
    const holders = holdersOf(mountpoint)
    const who = holders.length === 0 ? 'another program' : holders.join(', ')
    throw new ImageError('MOUNT', `${path}: is in use by ${who}; end that first`, {
      errno: errno.EBUSY,
      cause: error,
    })
  }
  while (isRunning(pid, started)) await sleep(POLL)
}

/** With --write-base=writeback the base gets what was flushed a little later. */
async function untilBaseHasAll(mountpoint: string, path: string): Promise<void> {
  for (;;) {
    const { baseWrites, chain } = readStatus(mountpoint)
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
