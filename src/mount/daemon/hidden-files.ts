import { existsSync, realpathSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { ImageError } from '../../errors.js'
import { resolveMountpoint } from '../../fuse/mountpoint.js'
import type { MountOptions } from '../options.js'

/**
 * Refuses a log or a pidfile where the mount would hide it, and where it would be what makes the directory not empty.
 * Throws ImageError REFUSED.
 */
export function refuseHiddenFiles({ logFile, pidfile, mountpoint }: MountOptions): void {
  if (logFile !== null) refuseBelow(mountpoint, logFile, '--log-file')
  if (pidfile !== null) refuseBelow(mountpoint, pidfile, '--pidfile')
}

function refuseBelow(mountpoint: string, path: string, option: string): void {
  // By the names first: what is mounted there already may hang who asks it for a link.
  if (!isBelow(path, mountpoint) && !isBelow(realPath(path), realMountpoint(mountpoint))) return
  throw new ImageError(
    'REFUSED',
    `${path}: would be hidden by the mount at ${mountpoint}: choose another ${option}`,
  )
}

function isBelow(path: string, mountpoint: string): boolean {
  return path.startsWith(`${mountpoint}/`)
}

// What cannot be followed stays as it is: whoever uses it will say what is wrong.

function realMountpoint(mountpoint: string): string {
  try {
    return resolveMountpoint(mountpoint)
  } catch {
    return mountpoint
  }
}

/** Also of a file that is still to be made. */
function realPath(path: string): string {
  try {
    return existsSync(path) ? realpathSync(path) : join(realpathSync(dirname(path)), basename(path))
  } catch {
    return path
  }
}
