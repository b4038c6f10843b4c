import type { ByteRange, DiskBytes } from './table.js'

/**
 * Ranges nearer to each other than this are watched as one: the page caches of clients write whole pages
 * anyway.
 */
const GAP = 4096

/** A disk that remembers which of its bytes were asked for, that is, on which a table depends. */
export class WatchedBytes implements DiskBytes {
  private readonly ranges: ByteRange[] = []

  constructor(private readonly disk: DiskBytes) {}

  get size(): number {
    return this.disk.size
  }

  read(offset: number, length: number): Uint8Array {
    this.ranges.push({ start: offset, end: offset + length })
    return this.disk.read(offset, length)
  }

  /** Null when the range is not wholly on the disk: a number from a table may be anything. */
  readWithin(offset: number, length: number): Uint8Array | null {
    const fits = Number.isSafeInteger(offset + length) && offset >= 0 && offset + length <= this.size
    return fits ? this.read(offset, length) : null
  }

  /** In order, apart from each other. */
  watched(): ByteRange[] {
    const joined: ByteRange[] = []
    for (const range of this.ranges.sort((a, b) => a.start - b.start)) {
      const last = joined.at(-1)
      if (last === undefined || range.start > last.end + GAP) joined.push(range)
      else joined[joined.length - 1] = { start: last.start, end: Math.max(last.end, range.end) }
    }
    return joined
  }
}
