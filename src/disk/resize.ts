import { roundDown, roundUp } from '../bytes.js'
import { ImageError } from '../errors.js'
import { isWritable } from '../formats/driver.js'
import type { Format, Resizing } from '../formats/format.js'
import { explainNoRoom } from '../storage/no-room.js'
import type { StorageHost } from '../storage/storage-file.js'
import { systemHost } from '../storage/system-host.js'
import { Chain } from './chain.js'
import type { Disk } from './disk.js'
import { Extent } from './extents.js'
import { OpenGate } from './gate.js'
import { formatOfNamed } from './probe.js'
import { endOfData } from './resize-scan.js'

export interface ResizeImageOptions {
  format?: string | null
  /** The disk may become smaller; what is cut off must be zeros. Default: only larger. */
  shrink?: boolean
  /** With `shrink`: data may be cut off. */
  force?: boolean
  /** Lets headers lead to block devices. */
  allowDevices?: boolean
  host?: StorageHost
}

export interface ResizedImage {
  readonly format: string
  /** Virtual sizes in bytes; equal when there was nothing to do. */
  readonly before: number
  readonly after: number
}

/**
 * Gives the disk of an image another size: `size` bytes, or `by` bytes more or, below 0, less. What is new reads as zeros,
 * whatever the image or its base have there. An image that was not closed cleanly is recovered first. Bases are opened for
 * reading, and not changed.
 *
 * Throws ImageError before anything was changed for what cannot be; after a failure in the middle, or a power cut, the
 * image has the old size or the new one, and shows what it did up to there.
 */
export function resizeImage(
  path: string,
  size: number | { readonly by: number },
  options: ResizeImageOptions = {},
): ResizedImage {
  const { format = null, shrink = false, force = false, allowDevices = false, host = systemHost } = options
  if (force && !shrink) throw new TypeError('resizeImage: force is about shrink')
  const gate = new OpenGate(host, 'follow', allowDevices)
  const context = { host, gate, metadataCache: METADATA_CACHE, allowStorageCommand: false, forceShare: false }
  const chain = new Chain(context, true)
  try {
    const file = gate.openNamed(path, true)
    chain.open(file, () => formatOfNamed(file, format))
    const [top] = chain.members
    const resizing = resizingOf(file.path, top!.format)
    const before = top!.opened.driver.size
    const after = sizeAfter(file.path, top!.format, before, size)
    if (after === before) return { format: top!.format.name, before, after }
    resizing.mustFit(file, after)
    if (after < before) {
      if (!shrink) throw refuseToShrink(file.path, before, after)
      if (!force) mustBeZeros(file.path, chain.disk(false), after)
    }
    prepare(chain, before, after, resizing)
    resizing.resize(file, after, { companion: () => chain.members[0]!.companion!.file })
    chain.finish()
    return { format: top!.format.name, before, after }
  } catch (error) {
    throw explainNoRoom(error, `${path} is as large as before, or as asked, and nothing of it is lost`)
  } finally {
    chain.drop()
  }
}

/** Bytes. */
const METADATA_CACHE = 32 << 20

function resizingOf(path: string, { name, resizing }: Format): Resizing {
  if (resizing !== undefined) return resizing
  throw new ImageError(
    'INVALID',
    `${path}: images of the format ${name} are only read here; resize it with qemu-img, or convert it with "rawmount convert"`,
  )
}

function sizeAfter(
  path: string,
  { name }: Format,
  before: number,
  size: number | { readonly by: number },
): number {
  const after = typeof size === 'number' ? size : before + size.by
  const refuse = (what: string) => new ImageError('INVALID', `${path}: ${what}`)
  if (!(after > 0)) {
    const taken = typeof size === 'number' ? '' : `the disk has ${before} bytes, and would have ${after}: `
    throw refuse(`${taken}a disk has at least ${name === 'raw' ? '1 byte' : '512 bytes'}; take a larger size`)
  }
  if (!Number.isSafeInteger(after)) throw refuse(`${after} bytes are more than 2^53; take a smaller size`)
  if (name !== 'raw' && after % 512 !== 0)
    throw refuse(`the size ${after} is not a multiple of 512; take ${roundUp(after, 512)}`)
  return after
}

function refuseToShrink(path: string, before: number, after: number): ImageError {
  return new ImageError(
    'REFUSED',
    `${path}: ${after} bytes are less than the ${before} that the disk has; cut off its end with --shrink`,
  )
}

function mustBeZeros(path: string, disk: Disk, from: number): void {
  const end = endOfData(disk, from)
  if (end === from) return
  throw new ImageError(
    'REFUSED',
    `${path}: the disk has data up to byte ${end}, behind the new end at ${from}; move them away or take a size of at least ${roundUp(end, 512)}, or give them up with --force`,
  )
}

/** Afterwards the image is as if it had been closed cleanly, and shows zeros behind the old end. */
function prepare(chain: Chain, before: number, after: number, { opensLarger = false }: Resizing): void {
  const larger = opensLarger && after > before
  chain.beginWriting(larger ? after : undefined)
  const disk = chain.disk(true)
  if (larger) blank(chain, disk, before, after)
  disk.finish()
}

/** Zeroes what is stored in [from, to), in whole grains where the image has nothing. */
function blank({ members }: Chain, disk: Disk, from: number, to: number): void {
  const { driver } = members[0]!.opened
  const grain = isWritable(driver) ? Math.max(1, driver.grain) : 1
  const extent = new Extent()
  for (let at = from; at < to; ) {
    disk.nextExtent(at, to - at, extent)
    const { data, hole, length } = extent
    const end = at + length
    if (!data || hole) {
      at = end
      continue
    }
    const start = Math.max(from, roundDown(at, grain))
    at = Math.min(to, roundUp(end, grain))
    disk.zero(start, at - start)
  }
}
