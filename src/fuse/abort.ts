import { writeFileSync } from 'node:fs'
import { errno } from '../libc/errno.js'
import { lastErrno } from '../libc/library.js'
import { MNT_FORCE, UMOUNT_NOFOLLOW, umount2 } from '../libc/mounts.js'

/**
 * Ends a connection at once: who waits on the mount gets an error, and data that the kernel holds are lost. The mount
 * itself stays until it is unmounted.
 */
export function abortConnection(connection: number, mountpoint: string): void {
  try {
    writeFileSync(`/sys/fs/fuse/connections/${connection}/abort`, '1')
  } catch (error) {
    // The control file system need not be mounted. A forced unmount aborts too, even when it fails with EBUSY.
    if (umount2(mountpoint, UMOUNT_NOFOLLOW | MNT_FORCE) === 0 || lastErrno() === errno.EBUSY) return
    throw error
  }
}
