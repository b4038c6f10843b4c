import { mkdtempSync, rmdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { errno, failed } from '../libc/errno.js'
import { lastErrno } from '../libc/library.js'
import { MNT_DETACH, MNT_FORCE, mount, UMOUNT_NOFOLLOW, umount2 } from '../libc/mounts.js'

const CONTROL = '/sys/fs/fuse/connections'

/**
 * Ends a connection at once: who waits on the mount gets an error, and data that the kernel holds are lost. The mount
 * itself stays until it is unmounted.
 */
export function abortConnection(connection: number, mountpoint: string): void {
  try {
    writeFileSync(`${CONTROL}/${connection}/abort`, '1')
  } catch {
    // The control file system need not be mounted. A forced unmount aborts too, even when it fails with EBUSY; but
    // a mount that was detached lazily has no mount point any more.
    if (umount2(mountpoint, UMOUNT_NOFOLLOW | MNT_FORCE) === 0 || lastErrno() === errno.EBUSY) return
    abortThroughOwnControl(connection)
  }
}

/** Mounts the control file system for a moment, where nobody looks. Takes privileges. */
function abortThroughOwnControl(connection: number): void {
  const directory = mkdtempSync(join(tmpdir(), 'rawmount-control-'))
  try {
    if (mount('fusectl', directory, 'fusectl', 0, null) !== 0) throw failed('mount fusectl', directory)
    try {
      writeFileSync(join(directory, `${connection}`, 'abort'), '1')
    } finally {
      umount2(directory, MNT_DETACH)
    }
  } finally {
    rmdirSync(directory)
  }
}
