import { ImageError } from '../../errors.js'
import { findMount, type MountEntry } from '../../fuse/mount-table.js'
import { MOUNT_TYPE, resolveMountpoint } from '../../fuse/mountpoint.js'

/**
 * The mount of an image at `path`, whose daemon may be dead. Throws ImageError MOUNT where nothing, or something else, is
 * mounted. Asks nothing of the mount itself.
 */
export function findImageMount(path: string): MountEntry {
  const entry = findMount(resolveMountpoint(path))
  if (entry === null)
    throw new ImageError('MOUNT', `${path}: nothing is mounted here; findmnt -t fuse.rawmount lists what is`)
  if (entry.type !== MOUNT_TYPE) {
    throw new ImageError(
      'MOUNT',
      `${path}: a file system of type ${entry.type} is mounted here, not an image; use umount`,
    )
  }
  return entry
}
