import { closeSync, fsyncSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ImageError } from '../errors.js'
import { findMount } from '../fuse/mount-table.js'
import { cleanStale, MOUNT_TYPE, resolveMountpoint } from '../fuse/mountpoint.js'
import { detach } from '../fuse/unmount.js'
import { describeErrno, errno } from '../libc/errno.js'
import { holdersOf } from './holders.js'
import { isRunning, startTime } from './process-table.js'
import type { StatusFacts } from './status.js'

/** Milliseconds between two looks whether the daemon has ended. */
const POLL = 5

/**
 * Unmounts, and returns when the image is closed and clean, where umount(8) returns while the daemon still writes. What
 * cannot be made durable is told before anything is unmounted. Throws ImageError MOUNT; with errno EBUSY and the names
 * of the holders when the mount is in use.
 */
export async function unmountImage(path: string): Promise<void> {
  const mountpoint = resolveMountpoint(path)
  const entry = findMount(mountpoint)
  if (entry === null)
    throw new ImageError('MOUNT', `${path}: nothing is mounted here; findmnt -t fuse.rawmount lists what is`)
  if (entry.type !== MOUNT_TYPE) {
    throw new ImageError(
      'MOUNT',
      `${path}: a file system of type ${entry.type} is mounted here, not an image; use umount`,
    )
  }
  if (cleanStale(mountpoint)) return
  const { pid } = JSON.parse(readFileSync(join(mountpoint, '.rawmount/status.json'), 'utf8')) as StatusFacts
  const started = startTime(pid)
  if (!entry.readOnly) flush(join(mountpoint, 'disk.raw'), path)
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
