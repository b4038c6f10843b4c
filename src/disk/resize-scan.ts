import { IoBuffer } from '../libc/io-buffer.js'
import type { Disk } from './disk.js'
import { Extent } from './extents.js'

/** Bytes that are read at a time. */
const PIECE = 1 << 20

const ZEROS = Buffer.alloc(PIECE)

interface Range {
  readonly start: number
  end: number
}

/** Where the last byte from `from` on that is not zero ends; `from` when there is none. Reads from the disk's end on. */
export function endOfData(disk: Disk, from: number): number {
  const buffer = new IoBuffer(PIECE)
  const ranges = storedRanges(disk, from)
  for (const { start, end } of ranges.reverse()) {
    for (let stop = end; stop > start; stop -= PIECE) {
      const at = Math.max(start, stop - PIECE)
      const length = stop - at
      disk.read(at, length, buffer, 0)
      if (ZEROS.compare(buffer.bytes, 0, length, 0, length) === 0) continue
      return at + buffer.bytes.subarray(0, length).findLastIndex(byte => byte !== 0) + 1
    }
  }
  return from
}

/** Neighbours are joined. */
function storedRanges(disk: Disk, from: number): Range[] {
  const ranges: Range[] = []
  const extent = new Extent()
  for (let at = from; at < disk.size; at += extent.length) {
    disk.nextExtent(at, disk.size - at, extent)
    if (!extent.data || extent.hole) continue
    const last = ranges.at(-1)
    if (last?.end === at) last.end = at + extent.length
    else ranges.push({ start: at, end: at + extent.length })
  }
  return ranges
}
