import type { ProfileEntry } from '../formats/profile.js'
import * as atomics from '../shared/atomics.js'
import { Mutex } from '../shared/mutex.js'

/**
 * Which ranges of the base were read first, in their order, as the threads of a mount note them:
 *
 *   touched   a bit per grain that was noted; goes from clear to set only, so who finds all bits of a range set needs
 *             no lock
 *   list      a mutex and two counts (Word), then pairs of 64-bit floats: start and end of a range, bytes
 *
 * A range that goes on where one of the last RECENT ends makes that one longer, as several readers take turns. That
 * brings it forward in the order, so only the very last may become longer than MERGED by it.
 */
export interface RecorderDescription {
  /** Bytes. */
  readonly baseSize: number
  readonly grain: number
  readonly touched: SharedArrayBuffer
  readonly list: SharedArrayBuffer
}

const LIMIT = 64 * 1024
const RECENT = 8
const MERGED = 16 * 1024 * 1024

const Word = { mutex: 0, count: 1, overflowed: 2 } as const
const HEADER_BYTES = 64

export class ProfileRecorder {
  private readonly touched: Int32Array
  private readonly words: Int32Array
  private readonly ranges: Float64Array
  private readonly mutex: Mutex

  /** `grain`: bytes in which ranges are counted. Memory that is never touched takes none. */
  static allocate(baseSize: number, grain: number): RecorderDescription {
    if (!(Number.isSafeInteger(baseSize) && baseSize >= 0 && Number.isSafeInteger(grain) && grain > 0)) {
      throw new RangeError(`a base of ${baseSize} bytes in grains of ${grain}`)
    }
    return {
      baseSize,
      grain,
      touched: new SharedArrayBuffer(Math.ceil(baseSize / grain / 32) * 4),
      list: new SharedArrayBuffer(HEADER_BYTES + LIMIT * 16),
    }
  }

  /** One object per thread. */
  constructor(private readonly description: RecorderDescription) {
    this.touched = new Int32Array(description.touched)
    this.words = new Int32Array(description.list, 0, HEADER_BYTES / 4)
    this.ranges = new Float64Array(description.list, HEADER_BYTES)
    this.mutex = new Mutex(this.words, Word.mutex, 'profile')
  }

  /** Bytes are read from the base. What lies behind its end is not noted. */
  note(offset: number, length: number): void {
    const { baseSize, grain } = this.description
    if (!(offset >= 0 && length >= 0)) throw new RangeError(`cannot note ${length} bytes at ${offset}`)
    const end = Math.ceil(Math.min(offset + length, baseSize) / grain)
    let at = this.skip(Math.floor(offset / grain), end, true)
    if (at >= end || length === 0) return
    this.mutex.lock()
    at = this.skip(at, end, true)
    while (at < end) {
      const stop = this.skip(at, end, false)
      for (let one = at; one < stop; one++) atomics.or(this.touched, Math.floor(one / 32), 1 << (one % 32))
      this.append(at * grain, Math.min(stop * grain, baseSize))
      at = this.skip(stop, end, true)
    }
    this.mutex.unlock()
  }

  /** In the order in which they were read, of whole grains, none twice. */
  entries(): ProfileEntry[] {
    this.mutex.lock()
    const found: ProfileEntry[] = []
    for (let n = 0; n < this.words[Word.count]!; n++) {
      const start = this.ranges[n * 2]!
      found.push({ offset: start, length: this.ranges[n * 2 + 1]! - start })
    }
    this.mutex.unlock()
    return found
  }

  /** There was more than the list takes: the profile has the beginning. */
  get overflowed(): boolean {
    return atomics.load(this.words, Word.overflowed) !== 0
  }

  /** The first grain from `at` on, before `end`, that was touched or was not; `end` when there is none. */
  private skip(at: number, end: number, touched: boolean): number {
    let grain = at
    while (grain < end) {
      const bit = (atomics.load(this.touched, Math.floor(grain / 32)) >>> (grain % 32)) & 1
      if ((bit === 1) !== touched) return grain
      grain++
    }
    return end
  }

  private append(start: number, end: number): void {
    const { ranges, words } = this
    const count = words[Word.count]!
    for (let n = count - 1; n >= Math.max(0, count - RECENT); n--) {
      if (ranges[n * 2 + 1] !== start) continue
      if (n < count - 1 && end - ranges[n * 2]! > MERGED) break
      ranges[n * 2 + 1] = end
      return
    }
    if (count === LIMIT) {
      atomics.store(words, Word.overflowed, 1)
      return
    }
    ranges[count * 2] = start
    ranges[count * 2 + 1] = end
    words[Word.count] = count + 1
  }
}
