import * as atomics from '../shared/atomics.js'

/**
 * Which parts of the base are behind the image: two maps of one bit per unit in shared memory, and an epoch, whose lowest bit
 * tells which of them is the current one. Writers mark there, holding the lock of the unit, before they write. flip()
 * makes the other one, which is empty, current in one instant: what the first has by then is the *taken* set, by which the
 * image at that instant differs from the base.
 *
 * A writer that saw the epoch just before a flip marks again. Its bit in the taken map may come too late to be found,
 * and stays behind: then that unit is copied once more than needed, some time.
 */
const EPOCH = 0
/** Two words: whether anything was marked in a map since it was last empty. */
const MARKED = 1
const HEADER_WORDS = 4

/** A unit is at least this long, and long enough for maps of at most MOST_UNITS bits each. */
const LEAST_UNIT = 4096
const MOST_UNITS = 1 << 23

export class DirtyUnits {
  private readonly words: Int32Array
  private readonly mapWords: number
  private readonly units: number

  static unitFor(size: number): number {
    let unit = LEAST_UNIT
    while (size / unit > MOST_UNITS) unit *= 2
    return unit
  }

  static allocate(size: number): SharedArrayBuffer {
    return new SharedArrayBuffer((HEADER_WORDS + 2 * Math.ceil(unitsOf(size) / 32)) * 4)
  }

  /** Bytes. */
  readonly unit: number

  constructor(memory: SharedArrayBuffer, size: number) {
    this.words = new Int32Array(memory)
    this.unit = DirtyUnits.unitFor(size)
    this.units = unitsOf(size)
    this.mapWords = Math.ceil(this.units / 32)
  }

  /** Bytes [start, end). */
  mark(start: number, end: number): void {
    let epoch: number
    do {
      epoch = atomics.load(this.words, EPOCH)
      this.set(epoch & 1, start, end)
    } while (atomics.load(this.words, EPOCH) !== epoch)
  }

  /** Whether anything was marked that was not taken. */
  get isMarked(): boolean {
    return atomics.load(this.words, MARKED + this.current) !== 0
  }

  /** Whether something of the taken set is left. */
  get isTaken(): boolean {
    return atomics.load(this.words, MARKED + 1 - this.current) !== 0
  }

  /** Takes what is marked. Only while isTaken is false, and by one thread at a time. */
  flip(): void {
    atomics.add(this.words, EPOCH, 1)
  }

  /** Nothing of the taken set is left. */
  takenDone(): void {
    atomics.store(this.words, MARKED + 1 - this.current, 0)
  }

  /** The first byte of the first unit of the taken set that begins in [start, end), `start` being one's; -1: none does. */
  nextTaken(start: number, end: number): number {
    const map = 1 - this.current
    const last = Math.min(this.units, end / this.unit)
    for (let unit = start / this.unit; unit < last; ) {
      const bits = atomics.load(this.words, this.wordOf(map, unit)) >>> (unit % 32)
      if ((bits & 1) !== 0) return unit * this.unit
      unit += bits === 0 ? 32 - (unit % 32) : 1
    }
    return -1
  }

  /** The end of the stretch of taken units from `start`, which begins one, on; in whole units, at most `end` rounded up. */
  takenEnd(start: number, end: number): number {
    const map = 1 - this.current
    const last = Math.min(this.units, end / this.unit)
    let unit = start / this.unit
    while (unit < last && (atomics.load(this.words, this.wordOf(map, unit)) & (1 << (unit % 32))) !== 0)
      unit++
    return unit * this.unit
  }

  /** The units of [start, end) are not in the taken set any more. */
  clearTaken(start: number, end: number): void {
    const map = 1 - this.current
    for (let unit = start / this.unit; unit * this.unit < end; unit++) {
      atomics.and(this.words, this.wordOf(map, unit), ~(1 << (unit % 32)))
    }
  }

  /** Bytes that are marked or taken, in whole units. */
  count(): number {
    let units = 0
    for (let word = HEADER_WORDS; word < this.words.length; word++) {
      for (let bits = atomics.load(this.words, word); bits !== 0; bits &= bits - 1) units++
    }
    return units * this.unit
  }

  private get current(): number {
    return atomics.load(this.words, EPOCH) & 1
  }

  private set(map: number, start: number, end: number): void {
    for (let unit = Math.floor(start / this.unit); unit * this.unit < end; unit++) {
      const word = this.wordOf(map, unit)
      const bit = 1 << (unit % 32)
      if ((atomics.load(this.words, word) & bit) === 0) atomics.or(this.words, word, bit)
    }
    atomics.store(this.words, MARKED + map, 1)
  }

  private wordOf(map: number, unit: number): number {
    return HEADER_WORDS + map * this.mapWords + Math.floor(unit / 32)
  }
}

function unitsOf(size: number): number {
  return Math.ceil(size / DirtyUnits.unitFor(size))
}
