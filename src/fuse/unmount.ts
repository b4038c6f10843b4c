import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { ImageError } from '../errors.js'
import { describeErrno, errno } from '../libc/errno.js'
import { lastErrno } from '../libc/library.js'
import { MNT_DETACH, UMOUNT_NOFOLLOW, umount2 } from '../libc/mounts.js'
import { findFusermount, fusermountUnmount } from './fusermount.js'
import { findMount } from './mount-table.js'

/**
 * Unmounts what is on top at `mountpoint`, a path as the mount table has it; `lazy` takes it out of sight at once,
 * though it may still be in use. Blocks until the kernel has written back what it held: the threads that serve the
 * mount must be others. Throws an ImageError MOUNT; its errno is EBUSY when somebody uses the mount.
 */
export function detach(mountpoint: string, lazy = false): void {
  if (umount2(mountpoint, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) === 0) return
  const error = lastErrno()
  if (error === errno.EPERM) detachAsUser(mountpoint, lazy)
  else if (error === errno.EBUSY) throw busy(mountpoint)
  else
    throw new ImageError('MOUNT', `${mountpoint}: cannot be unmounted: ${describeErrno(error)}`, {
      errno: error,
    })
}

function detachAsUser(mountpoint: string, lazy: boolean): void {
  const refusal = fusermountUnmount(mountpoint, lazy)
  if (refusal === null) return
  if (/busy/i.test(refusal)) throw busy(mountpoint)
  if (findMount(mountpoint) === null) return
  throw new ImageError('MOUNT', `${mountpoint}: cannot be unmounted: ${refusal}`, { errno: errno.EPERM })
}

function busy(mountpoint: string): ImageError {
  return new ImageError(
    'MOUNT',
    `${mountpoint}: busy: close what uses it ('fuser -vm ${mountpoint}' lists it)`,
    {
      errno: errno.EBUSY,
    },
  )
}

/**
 * The same, in a program of its own, for a thread that serves the mount and must not wait for it: umount for root,
 * fusermount3 for others.
 */
export async function detachWithProgram(mountpoint: string, lazy = false): Promise<void> {
  if (findMount(mountpoint) === null) return
  const fusermount = findFusermount()
  const [program, ...parameters] =
    process.geteuid!() === 0
      ? ['umount', '-i', ...(lazy ? ['-l'] : [])]
      : [fusermount ?? 'fusermount3', '-u', ...(lazy ? ['-z'] : [])]
  const child = spawn(program!, [...parameters, '--', mountpoint], {
    stdio: ['ignore', 'ignore', 'pipe'],
    // What it says is looked into.
    env: { ...process.env, LC_ALL: 'C' },
  })
  // There is none where the program could not be started.
  const output = child.stderr?.setEncoding('utf8').toArray() ?? []
  try {
    const [status] = await once(child, 'close')
    if (status === 0) return
  } catch (cause) {
    if (lazy) return detach(mountpoint, true) // waits for nobody
    throw new ImageError('MOUNT', `${mountpoint}: ${program} cannot be run: install it, or unmount by hand`, {
      cause,
    })
  }
  const said = (await output).join('').trim().replace(/\n/g, '; ')
  if (/busy/i.test(said)) throw busy(mountpoint)
  if (findMount(mountpoint) === null) return
  throw new ImageError('MOUNT', `${mountpoint}: cannot be unmounted: ${said}`, { errno: errno.EPERM })
}
