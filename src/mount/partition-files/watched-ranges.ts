import type { ByteRange } from '../../partitions/table.js'
import * as atomics from '../../shared/atomics.js'

/**
 * Ranges of the disk on which the partition table depends, in shared memory: every write is held against them,
 * so that the table is read again when one of them was written, and only then.
 *
 *   generation   odd while the list is being replaced; whoever sees it odd or moving takes his write for a hit
 *   count        of ranges
 *   ranges       start, end; in order, apart from each other
 *
 * Ranges are replaced under the mutex of the table; looking takes no lock.
 */
const GENERATION = 0
const COUNT = 1
const HEADER_BYTES = 8

/**
 * The table, its backup, and the chain of 255 logical partitions. Were there more, the last would be joined.
 */
const MAX_RANGES = 300

export class WatchedRanges {
  static readonly BYTES = HEADER_BYTES + MAX_RANGES * 16

  private readonly words: Int32Array
  private readonly ranges: Float64Array

  /** `offset`: a multiple of 8. */
  constructor(memory: SharedArrayBuffer, offset: number) {
    this.words = new Int32Array(memory, offset, HEADER_BYTES / 4)
    this.ranges = new Float64Array(memory, offset + HEADER_BYTES, MAX_RANGES * 2)
  }

  /** Whether some of [start, end) is watched. */
  overlap(start: number, end: number): boolean {
    const { words } = this
    const generation = atomics.load(words, GENERATION)
    const found = this.search(start, end)
    return found || (generation & 1) === 1 || atomics.load(words, GENERATION) !== generation
  }

  private search(start: number, end: number): boolean {
    const { ranges } = this
    const count = atomics.load(this.words, COUNT)
    let low = 0
    let high = count
    // The first range that ends after the start.
    while (low < high) {
      const middle = (low + high) >> 1
      if (ranges[middle * 2 + 1]! > start) high = middle
      else low = middle + 1
    }
    return low < count && ranges[low * 2]! < end
  }

  /** Under the mutex: whether these are watched. */
  equal(ranges: readonly ByteRange[]): boolean {
    const wanted = atMost(ranges)
    return (
      atomics.load(this.words, COUNT) === wanted.length &&
      wanted.every(({ start, end }, i) => this.ranges[i * 2] === start && this.ranges[i * 2 + 1] === end)
    )
  }

  /** Under the mutex. `ranges`: in order, apart from each other. */
  replace(ranges: readonly ByteRange[]): void {
    atomics.add(this.words, GENERATION, 1)
    const wanted = atMost(ranges)
    wanted.forEach(({ start, end }, i) => {
      this.ranges[i * 2] = start
      this.ranges[i * 2 + 1] = end
    })
    atomics.store(this.words, COUNT, wanted.length)
    atomics.add(this.words, GENERATION, 1)
  }
}

function atMost(ranges: readonly ByteRange[]): readonly ByteRange[] {
  if (ranges.length <= MAX_RANGES) return ranges
  const { start } = ranges[MAX_RANGES - 1]!
  return [...ranges.slice(0, MAX_RANGES - 1), { start, end: ranges.at(-1)!.end }]
}
