import { IoBuffer } from '../libc/io-buffer.js'
import * as atomics from './atomics.js'
import { Mutex } from './mutex.js'

/**
 * Ranges of the base that readers fetched, on their way into the image: a queue of bounded size, in shared memory.
 *
 *   free → filling          reserve(): a reader has room, and reads the base into it
 *   filling → ready         ready(): may be read by others, and stored
 *   filling → free          free(): reading the base failed
 *   ready → storing         take(): a copier stores it; still to be read by others
 *   storing → free          free()
 *
 * Room is a contiguous piece of the memory, given out in order and taken back from the oldest on. Everything but the
 * bytes of a range in filling is touched under the mutex only. Whoever waits for work sleeps on the bell.
 */
const ENTRIES = 256

const MUTEX = 0
const BELL = 1
/** The oldest entry, and how many are in the queue. */
const OLDEST = 2
const COUNT = 3
/** Where the next range goes. */
const TAIL = 4
const QUEUED = 5
const HEADER_WORDS = 16

const STATE = 0
const PLACE = 1
const ENTRY_WORDS = 2
const NUMBERS_AT = (HEADER_WORDS + ENTRIES * ENTRY_WORDS) * 4
const DATA_AT = NUMBERS_AT + ENTRIES * 16

const FREE = 0
const FILLING = 1
const READY = 2
const STORING = 3

export class FetchRing {
  /** The bytes of all ranges; one lies at placeOf(). */
  readonly buffer: IoBuffer
  readonly capacity: number
  private readonly words: Int32Array
  /** Offset and length of each entry. */
  private readonly numbers: Float64Array
  private readonly mutex: Mutex

  /** `capacity`: bytes. */
  static allocate(capacity: number): SharedArrayBuffer {
    return new SharedArrayBuffer(DATA_AT + capacity)
  }

  constructor(memory: SharedArrayBuffer) {
    this.words = new Int32Array(memory, 0, NUMBERS_AT / 4)
    this.numbers = new Float64Array(memory, NUMBERS_AT, ENTRIES * 2)
    this.buffer = new IoBuffer(memory)
    this.capacity = memory.byteLength - DATA_AT
    this.mutex = new Mutex(this.words, MUTEX, 'what was read from the base')
  }

  /** Room for [offset, offset + length); -1 when there is none. */
  reserve(offset: number, length: number): number {
    this.mutex.lock()
    try {
      const place = this.findRoom(length)
      if (place < 0) return -1
      const { words } = this
      const entry = (words[OLDEST]! + words[COUNT]!) % ENTRIES
      words[COUNT]!++
      words[TAIL] = place + length
      words[QUEUED]! += length
      this.setState(entry, FILLING)
      words[HEADER_WORDS + entry * ENTRY_WORDS + PLACE] = place
      this.numbers[entry * 2] = offset
      this.numbers[entry * 2 + 1] = length
      return entry
    } finally {
      this.mutex.unlock()
    }
  }

  ready(entry: number): void {
    this.mutex.lock()
    this.setState(entry, READY)
    this.mutex.unlock()
    this.ring()
  }

  /** The oldest range that nobody stores yet; -1 when there is none. */
  take(): number {
    this.mutex.lock()
    try {
      for (let i = 0; i < this.words[COUNT]!; i++) {
        const entry = (this.words[OLDEST]! + i) % ENTRIES
        if (this.state(entry) !== READY) continue
        this.setState(entry, STORING)
        return entry
      }
      return -1
    } finally {
      this.mutex.unlock()
    }
  }

  free(entry: number): void {
    const { mutex, words } = this
    mutex.lock()
    this.setState(entry, FREE)
    words[QUEUED]! -= this.length(entry)
    while (words[COUNT]! > 0 && this.state(words[OLDEST]!) === FREE) {
      words[OLDEST] = (words[OLDEST]! + 1) % ENTRIES
      words[COUNT]!--
    }
    mutex.unlock()
  }

  /** Copies what the ring has from `offset` on, at most `length` bytes, to `target`; returns how many, 0 for none. */
  copyOut(offset: number, length: number, target: IoBuffer, at: number): number {
    this.mutex.lock()
    try {
      const entry = this.find(offset)
      if (entry < 0) return 0
      const within = offset - this.offset(entry)
      const count = Math.min(length, this.length(entry) - within)
      target.copyFrom(this.buffer, this.place(entry) + within, count, at)
      return count
    } finally {
      this.mutex.unlock()
    }
  }

  /** Whether the ring has the byte at `offset`. */
  has(offset: number): boolean {
    this.mutex.lock()
    const found = this.find(offset) >= 0
    this.mutex.unlock()
    return found
  }

  /** Bytes from `offset` on, at most `length`, of which the ring has none. */
  gap(offset: number, length: number): number {
    this.mutex.lock()
    let end = offset + length
    for (let i = 0; i < this.words[COUNT]!; i++) {
      const entry = (this.words[OLDEST]! + i) % ENTRIES
      if (this.state(entry) < READY || this.offset(entry) + this.length(entry) <= offset) continue
      end = Math.min(end, Math.max(offset, this.offset(entry)))
    }
    this.mutex.unlock()
    return end - offset
  }

  offset(entry: number): number {
    return this.numbers[entry * 2]!
  }

  length(entry: number): number {
    return this.numbers[entry * 2 + 1]!
  }

  /** Where the bytes of the range lie in `buffer`. */
  placeOf(entry: number): number {
    return this.place(entry)
  }

  /** Bytes that wait to be stored. */
  get queued(): number {
    return atomics.load(this.words, QUEUED)
  }

  /** What the bell says now; wait() returns at once when it rang since. */
  get bell(): number {
    return atomics.load(this.words, BELL)
  }

  /** Wakes all who wait for work. */
  ring(): void {
    atomics.add(this.words, BELL, 1)
    atomics.wake(this.words, BELL, ENTRIES)
  }

  /** For a thread that lives on its event loop: resolves when it rings the next time. */
  rung(): Promise<void> {
    return atomics.changed(this.words, BELL, this.bell)
  }

  wait(bell: number, milliseconds: number): void {
    atomics.wait(this.words, BELL, bell, milliseconds)
  }

  private find(offset: number): number {
    for (let i = 0; i < this.words[COUNT]!; i++) {
      const entry = (this.words[OLDEST]! + i) % ENTRIES
      if (this.state(entry) < READY) continue
      const start = this.offset(entry)
      if (offset >= start && offset < start + this.length(entry)) return entry
    }
    return -1
  }

  /** Behind the last range, or at the start where the oldest ones have left enough; -1 when there is none. */
  private findRoom(length: number): number {
    const { words } = this
    const count = words[COUNT]!
    if (count === ENTRIES || length > this.capacity) return -1
    if (count === 0) return DATA_AT
    const tail = words[TAIL]!
    const head = this.place(words[OLDEST]!)
    if (tail <= head) return length <= head - tail ? tail : -1
    if (length <= DATA_AT + this.capacity - tail) return tail
    return length <= head - DATA_AT ? DATA_AT : -1
  }

  private state(entry: number): number {
    return this.words[HEADER_WORDS + entry * ENTRY_WORDS + STATE]!
  }

  private setState(entry: number, state: number): void {
    this.words[HEADER_WORDS + entry * ENTRY_WORDS + STATE] = state
  }

  private place(entry: number): number {
    return this.words[HEADER_WORDS + entry * ENTRY_WORDS + PLACE]!
  }
}
