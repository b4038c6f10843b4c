import { ImageError } from '../errors.js'
import type { BackingReference, Format, OpenedImage } from '../formats/format.js'
import { isUrl } from '../storage/http/url.js'
import type { StorageFile, StorageHost } from '../storage/storage-file.js'
import { systemHost } from '../storage/system-host.js'
import { DEPTH_LIMIT, OpenGate } from './gate.js'
import { factsOf } from './inspect.js'
import { formatOfNamed, formatOfNewBase } from './probe.js'

export interface RenameBaseOptions {
  format?: string | null
  allowDevices?: boolean
  host?: StorageHost
}

/**
 * Changes the name of the base in an image's header, and nothing else, whatever the image shows then; the base need not
 * exist. null: none. Throws ImageError, and has then changed nothing, unless a write failed.
 */
export function renameBase(
  path: string,
  backing: BackingReference | null,
  { format = null, allowDevices = false, host = systemHost }: RenameBaseOptions = {},
): void {
  const file = new OpenGate(host, 'follow', allowDevices).openNamed(path, true)
  try {
    host.lock(file)
    const chosen = formatOfNamed(file, format)
    mustHaveBackingName(path, chosen)
    // A damaged image is not to be made another one.
    factsOf(file, chosen)
    if (backing !== null) mustNotBeGuessed(backing, path, new OpenGate(host, 'follow', allowDevices))
    chosen.setBacking!(file, backing && { ...backing, size: null })
  } finally {
    file.close()
  }
}

/** What is there is not to be taken for raw by a guess. */
function mustNotBeGuessed({ name, format }: BackingReference, path: string, gate: OpenGate): void {
  // Nobody asked to wait for a server.
  if (isUrl(name)) return
  let file: StorageFile
  try {
    file = gate.openBacking(name, path, DEPTH_LIMIT).file
  } catch (error) {
    // It may be missing: that is what this way of naming it is for.
    if (error instanceof ImageError) return
    throw error
  }
  try {
    formatOfNewBase(file, format)
  } finally {
    file.close()
  }
}

export function mustHaveBackingName(path: string, { name, setBacking, create }: Format): void {
  if (setBacking !== undefined) return
  const why = create === undefined ? 'are only read' : 'have no base'
  throw new ImageError(
    'INVALID',
    `${path}: images of the format ${name} ${why}, so it cannot be put on another one`,
  )
}

/** The new base would be taken for one that has all that was written to the image. */
export function mustNotBeCache(path: string, { copySettings }: OpenedImage): void {
  if ((copySettings?.writeBase ?? 'no') === 'no') return
  throw new ImageError(
    'INVALID',
    `${path}: is the cache of its base (write_updates_base_img), and a new base would lack what was written; say "rawmount update ${path} write_updates_base_img=no" first`,
  )
}
