import { closeSync, openSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { ImageError } from '../../errors.js'
import { ioctl } from '../../libc/devices.js'
import { errno, failed } from '../../libc/errno.js'
import { IoBuffer } from '../../libc/io-buffer.js'
import type { FoldersStatus, MountStatus } from '../status/status.js'
import { STATUS_CONTROL, STATUS_CONTROL_ROOM } from '../status/status-control.js'

/**
 * What the mount at `mountpoint`, or the folder of an image in one, says about itself. Not to be called by the process that
 * serves it, and hangs as long as that one does. Throws ImageError MOUNT when its daemon is dead, with errno ENOTCONN; or when it may not be looked at.
 */
export function readStatus(mountpoint: string): MountStatus | FoldersStatus {
  try {
    const text = statSync(mountpoint).isFile()
      ? askFile(mountpoint)
      : readFileSync(join(mountpoint, '.rawmount/status.json'), 'utf8')
    return JSON.parse(text) as MountStatus | FoldersStatus
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code === 'ENOTCONN' || code === 'ECONNABORTED') {
      throw new ImageError(
        'MOUNT',
        `${mountpoint}: the daemon of this mount is dead; 'rawmount umount ${mountpoint}' takes the mount away`,
        { errno: errno.ENOTCONN, cause },
      )
    }
    if (code === 'EACCES') {
      throw new ImageError(
        'MOUNT',
        `${mountpoint}: the mount is another user's, who can look at it; or mount with --allow-other`,
        { errno: errno.EACCES, cause },
      )
    }
    throw new ImageError('MOUNT', `${mountpoint}: its status cannot be read: ${message}`, { cause })
  }
}

/** Of a disk that is mounted over a file. */
function askFile(path: string): string {
  const fd = openSync(path, 'r')
  try {
    const buffer = new IoBuffer(STATUS_CONTROL_ROOM)
    const length = ioctl(fd, STATUS_CONTROL, buffer.address)
    if (length < 0) throw failed('ioctl', path)
    return Buffer.from(buffer.bytes.subarray(0, length)).toString()
  } finally {
    closeSync(fd)
  }
}

export function hasFolders(status: MountStatus | FoldersStatus): status is FoldersStatus {
  return 'images' in status
}
