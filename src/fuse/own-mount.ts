import { ImageError } from '../errors.js'
import { errno } from '../libc/errno.js'
import { IoBuffer } from '../libc/io-buffer.js'
import { declare } from '../libc/library.js'
import { readMountTable } from './mount-table.js'
import { MOUNT_TYPE } from './mountpoint.js'

/** @see man 2 poll */
const poll = declare('int poll(intptr_t descriptors, unsigned long count, int timeout)')
const POLLERR = 8

/**
 * Whether the connection that `fd`, a descriptor of /dev/fuse, belongs to was neither ended nor aborted. So long its
 * number is no other mount's.
 */
export function isConnected(fd: number): boolean {
  const entry = new IoBuffer(8)
  entry.view.setInt32(0, fd, true)
  return poll(entry.address, 1, 0) >= 0 && (entry.view.getInt16(6, true) & POLLERR) === 0
}

/**
 * Where the mount of a connection is that was mounted at `mountpoint`; null when it is gone. A directory above it may have
 * been renamed: so while the connection `isAlive`, its number is looked for everywhere. Throws an ImageError MOUNT where
 * something else was mounted over it, as that would be unmounted.
 */
export function findOwnMount(connection: number, mountpoint: string, isAlive: boolean): string | null {
  const table = readMountTable()
  const own = table.filter(({ type, minor }) => type === MOUNT_TYPE && minor === connection)
  const found = own.find(entry => entry.mountpoint === mountpoint) ?? (isAlive ? own[0] : undefined)
  if (found === undefined) return null
  const top = table.findLast(entry => entry.mountpoint === found.mountpoint)!
  if (own.includes(top)) return found.mountpoint
  throw new ImageError(
    'MOUNT',
    `${found.mountpoint}: ${top.source} was mounted over it: unmount that first ('umount ${found.mountpoint}')`,
    { errno: errno.EBUSY },
  )
}
