import { readdirSync, realpathSync, statfsSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { ImageError } from '../errors.js'
import { errno } from '../libc/errno.js'
import { findMount } from './mount-table.js'
import { detach } from './unmount.js'

/** The type that mounts of this program have in the mount table. */
export const MOUNT_SUBTYPE = 'rawmount'
export const MOUNT_TYPE = `fuse.${MOUNT_SUBTYPE}`

/** What to do about a path that leads nowhere. */
interface Advice {
  readonly missing: string
  readonly other: string
}

const TO_MOUNT: Advice = {
  missing: 'no such directory: create it with mkdir',
  other: 'choose another mount point',
}
const MOUNTED: Advice = { missing: 'does not exist: check the name', other: 'check the name' }

/**
 * `path`, where something should be mounted already, as it stands in the mount table: absolute, links resolved. Where that is so,
 * nothing is asked of that file system, so that a mount that hangs does not hang the caller. Throws an ImageError MOUNT
 * when there is no such path.
 */
export function resolveMountpoint(path: string): string {
  return resolveOr(path, MOUNTED)
}

/** The same, of a path where something is to be mounted. */
export function resolvePlaceToMount(path: string): string {
  return resolveOr(path, TO_MOUNT)
}

function resolveOr(path: string, advice: Advice): string {
  const absolute = resolve(path)
  try {
    const inParent = join(realpathSync(dirname(absolute)), basename(absolute))
    return findMount(inParent) === null ? realpathSync(absolute) : inParent
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code
    if (code === 'ENOENT') throw new ImageError('MOUNT', `${path}: ${advice.missing}`, { cause })
    const why = code === 'ENOTDIR' ? 'lies below what is no directory' : `cannot be reached (${code})`
    throw new ImageError('MOUNT', `${path}: ${why}: ${advice.other}`, { cause })
  }
}

/** What may be mounted on. */
export interface Mountpoint {
  /** As resolveMountpoint returns it. */
  readonly path: string
  /** A regular file, over which a single file is mounted; else a directory. */
  readonly isFile: boolean
}

/**
 * Refuses what should not be mounted on: neither directory nor regular file, a directory with files in it (unless
 * `nonempty`), the mount point of something else. Clean a stale mount first.
 */
export function checkMountpoint(path: string, nonempty = false): Mountpoint {
  const mountpoint = resolvePlaceToMount(path)
  const mounted = findMount(mountpoint)
  if (mounted !== null) {
    const how = mounted.type === MOUNT_TYPE ? `rawmount umount ${path}` : `umount ${path}`
    throw new ImageError(
      'MOUNT',
      `${path}: ${mounted.source} is mounted here already: end it with '${how}' or choose another directory`,
      { errno: errno.EBUSY },
    )
  }
  const stat = statSync(mountpoint)
  if (stat.isFile()) return { path: mountpoint, isFile: true }
  if (!stat.isDirectory()) {
    throw new ImageError('MOUNT', `${path}: neither a directory nor a regular file: mount on one of these`, {
      errno: errno.ENOTDIR,
    })
  }
  if (!nonempty && !isEmpty(mountpoint)) {
    throw new ImageError(
      'MOUNT',
      `${path}: not empty: choose an empty directory, or add -o nonempty to hide its files`,
      {
        errno: errno.ENOTEMPTY,
      },
    )
  }
  return { path: mountpoint, isFile: false }
}

/** A directory that may be entered but not listed counts as empty: the mount itself will say whether it may be used. */
function isEmpty(directory: string): boolean {
  try {
    return readdirSync(directory).length === 0
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES') return true
    throw error
  }
}

/**
 * Whether the daemon of a mount at `mountpoint` died without unmounting it. Asks for statfs, which, unlike stat, no
 * cache answers. Not to be called by the process that serves the mount.
 */
export function isStale(mountpoint: string): boolean {
  if (findMount(mountpoint)?.type !== MOUNT_TYPE) return false
  try {
    statfsSync(mountpoint)
    return false
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    // The latter while the daemon, killed a moment ago, lets go of the connection.
    return code === 'ENOTCONN' || code === 'ECONNABORTED'
  }
}

/** Removes the stale mounts at `path`, one over the other if need be. Returns whether there was one. Throws as checkMountpoint(). */
export function cleanStale(path: string): boolean {
  const mountpoint = resolvePlaceToMount(path)
  let found = false
  while (isStale(mountpoint)) {
    detach(mountpoint, true)
    found = true
  }
  return found
}
