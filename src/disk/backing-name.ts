import { ImageError } from '../errors.js'
import type { BackingReference, Format, OpenedImage } from '../formats/format.js'
import { isUrl } from '../storage/http/url.js'
import type { StorageHost } from '../storage/storage-file.js'
import { systemHost } from '../storage/system-host.js'
import { DEPTH_LIMIT, OpenGate } from './gate.js'
import { factsOf } from './inspect.js'
import { formatOfNamed, formatOfNewBase, isProbedAs } from './probe.js'

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
    const { backing: old } = factsOf(file, chosen)
    const probed = (reference: BackingReference, isNew: boolean): boolean =>
      isProbed(reference, path, isNew, new OpenGate(host, 'follow', allowDevices))
    const isProbeSafe = backing !== null && probed(backing, true) && (old === null || probed(old, false))
    chosen.setBacking!(file, backing && { ...backing, size: null, isProbeSafe })
  } finally {
    file.close()
  }
}

/** Whether the file is there, and opens in the same way with its format recorded and without. */
function isProbed(reference: BackingReference, path: string, isNew: boolean, gate: OpenGate): boolean {
  // Nobody asked to wait for a server.
  if (isUrl(reference.name)) return false
  let file: ReturnType<OpenGate['openBacking']>['file']
  try {
    file = gate.openBacking(reference.name, path, DEPTH_LIMIT).file
  } catch (error) {
    // It may be missing: that is what this way of naming it is for.
    if (error instanceof ImageError) return false
    throw error
  }
  try {
    // What is there is not to be taken for raw by a guess.
    if (isNew) formatOfNewBase(file, reference.format)
    return isProbedAs(file, reference.format)
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
