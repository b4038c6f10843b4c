import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { ImageError } from '../../errors.js'
import { PROBE_LENGTH } from '../../formats/format.js'
import { isForeign, probeOwnFormat } from '../../formats/registry.js'
import { isUrl } from '../../storage/http/url.js'
import { systemHost } from '../../storage/system-host.js'
import type { MountOptions } from '../options.js'

/**
 * What must not become a log: a line that is appended to an image, or to the raw disk below one, is in the guest's disk, and
 * nobody notices. Both throw ImageError REFUSED.
 */

/** Not what the mount itself stands on, whatever it holds, and also before it is made. */
export function refuseOwnFiles(path: string, { images, overlay, copying, pidfile }: MountOptions): void {
  const { prefetchProfile: profile } = copying
  const overlays = overlay?.path == null ? [] : [overlay.path]
  const profiles = typeof profile === 'string' ? [] : [profile.path]
  refuseSame(path, images, 'an image of this mount')
  refuseSame(path, overlays, 'the overlay of this mount')
  refuseSame(path, profiles, 'the profile of this mount')
  refuseSame(path, pidfile === null ? [] : [pidfile], 'the pidfile of this mount')
}

function refuseSame(path: string, others: readonly string[], what: string): void {
  const files = others.filter(other => !isUrl(other))
  if (files.some(other => isSame(path, other)))
    throw new ImageError('REFUSED', `${path}: is ${what}: choose another --log-file`)
}

function isSame(path: string, other: string): boolean {
  const identity = identityOf(path)
  return path === other || (identity !== null && identity === identityOf(other))
}

/** Null for what is not there, or may not be looked at. */
function identityOf(path: string): string | null {
  try {
    return systemHost.inspect(path).identity
  } catch {
    return null
  }
}

/** Not a disk, nor a file that is there and is no text. `fd` is what was opened for writing by that name. */
export function refuseOtherThanLog(path: string, fd: number): void {
  const stat = fstatSync(fd)
  if (!stat.isBlockDevice() && !(stat.isFile() && !isText(headOf(fd)))) return
  throw new ImageError('REFUSED', `${path}: is there already and is no log: choose another --log-file`)
}

function isText(head: Buffer): boolean {
  return !head.includes(0) && probeOwnFormat(head) === null && !isForeign(head)
}

/** Nothing of a file that may be written but not read. */
function headOf(fd: number): Buffer {
  const head = Buffer.alloc(PROBE_LENGTH)
  let again: number
  try {
    again = openSync(`/proc/self/fd/${fd}`, 'r')
  } catch {
    return head.subarray(0, 0)
  }
  try {
    return head.subarray(0, readSync(again, head, 0, head.length, 0))
  } finally {
    closeSync(again)
  }
}
