import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ImageError } from '../../errors.js'
import { errno } from '../../libc/errno.js'
import type { MountStatus } from '../status/status.js'

/**
 * What the mount at `mountpoint` says about itself. Not to be called by the process that serves it. Throws ImageError
 * MOUNT when its daemon is dead, with errno ENOTCONN; or when it may not be looked at.
 */
export function readStatus(mountpoint: string): MountStatus {
  try {
    return JSON.parse(readFileSync(join(mountpoint, '.rawmount/status.json'), 'utf8')) as MountStatus
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
