import { roundUp } from '../../bytes.js'
import * as atomics from '../../shared/atomics.js'

/**
 * Which parts of the disk were written through one file since somebody asked last: a bit for each of 1024 parts
 * of the disk, and a word that is 1 when any is set. No lock: whoever writes sets bits after the disk has his
 * bytes, and whoever asks clears them before he acts on them, so a write is never forgotten, and at worst told
 * twice.
 *
 *   mark   bits, then the word; a bit that is set already is for whoever takes it next, which is after this write
 *   take   the word to 0, then the bits
 */
const ANY = 0
const BITS = 1
const PARTS = 1024
const BIT_WORDS = PARTS / 32

/** The unit of page caches. */
const PAGE = 4096

export class WrittenParts {
  static readonly BYTES = (BITS + BIT_WORDS) * 4

  private readonly words: Int32Array
  /** Bytes of one part. */
  private readonly unit: number

  constructor(memory: SharedArrayBuffer, offset: number, diskSize: number) {
    this.words = new Int32Array(memory, offset, BITS + BIT_WORDS)
    this.unit = Math.max(PAGE, roundUp(Math.ceil(diskSize / PARTS), PAGE))
  }

  get any(): boolean {
    return atomics.load(this.words, ANY) !== 0
  }

  /** [start, end) was written. */
  mark(start: number, end: number): void {
    const { words, unit } = this
    const last = Math.floor((end - 1) / unit)
    for (let part = Math.floor(start / unit); part <= last; part++) {
      const word = BITS + (part >> 5)
      const bit = 1 << (part & 31)
      if ((atomics.load(words, word) & bit) === 0) atomics.or(words, word, bit)
    }
    if (atomics.load(words, ANY) === 0) atomics.store(words, ANY, 1)
  }

  /** What was marked, neighbours joined: starts and ends in turn. It is marked no more. */
  take(): number[] {
    const { words, unit } = this
    atomics.store(words, ANY, 0)
    const borders: number[] = []
    for (let word = 0; word < BIT_WORDS; word++) {
      const bits = atomics.exchange(words, BITS + word, 0)
      for (let bit = 0; bit < 32; bit++) {
        if ((bits & (1 << bit)) === 0) continue
        const start = (word * 32 + bit) * unit
        if (borders.at(-1) === start) borders[borders.length - 1] = start + unit
        else borders.push(start, start + unit)
      }
    }
    return borders
  }

  clear(): void {
    this.take()
  }
}
