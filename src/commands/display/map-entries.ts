import { Extent } from '../../disk/extents.js'
import type { OpenImage } from '../../disk/open.js'

/** One extent as `qemu-img map` tells it. @see qapi/block-core.json in QEMU, MapEntry */
export interface MapEntry {
  start: number
  length: number
  /** The image of the chain that decides: 0 is the first. */
  depth: number
  /** An image of the chain says something about the range, even if it is zero. */
  present: boolean
  zero: boolean
  data: boolean
  /** Where it lies in the file of that image; null when it has no place there. */
  offset: number | null
  /** The file that has the data of that image, when its own has not. */
  dataFile: string | null
}

/** All extents from start to end, neighbours of one kind joined. */
export function* mapEntries({ disk, chain }: OpenImage): Generator<MapEntry> {
  const extent = new Extent()
  let current: MapEntry | null = null
  for (let offset = 0; offset < disk.size; offset += extent.length) {
    disk.nextExtent(offset, disk.size - offset, extent)
    const next = entryOf(extent, chain)
    if (current !== null && joins(current, next)) {
      current.length += next.length
      continue
    }
    if (current !== null) yield current
    current = next
  }
  if (current !== null) yield current
}

function entryOf(extent: Extent, chain: OpenImage['chain']): MapEntry {
  const { offset: start, length } = extent
  const layer = chain[extent.depth]
  // QEMU counts what lies behind the end of a base to the image above it, and as not present.
  if (layer === undefined || start >= layer.size) {
    return {
      start,
      length,
      depth: extent.depth - 1,
      present: false,
      zero: true,
      data: false,
      offset: null,
      dataFile: null,
    }
  }
  // Only of raw does QEMU say that a hole of the file is a zero of the disk.
  const zero = !extent.data || (extent.hole && layer.format === 'raw')
  const offset = extent.data && extent.fileOffset >= 0 ? extent.fileOffset : null
  const dataFile = extent.data && extent.path !== layer.path ? extent.path : null
  return { start, length, depth: extent.depth, present: true, zero, data: !zero, offset, dataFile }
}

function joins(before: MapEntry, next: MapEntry): boolean {
  if (before.depth !== next.depth || before.present !== next.present) return false
  if (before.zero !== next.zero || before.data !== next.data) return false
  if (before.offset === null || next.offset === null) return before.offset === next.offset
  return before.offset + before.length === next.offset
}
