import { roundDown } from '../bytes.js'
import { monotonicTime } from '../copy/throttle.js'
import { TokenBucket } from '../copy/token-bucket.js'
import * as atomics from '../shared/atomics.js'
import { Mutex } from '../shared/mutex.js'

/**
 * The way of several threads through a disk, from its beginning to its end: each takes the next piece when it is done with
 * the one before. Stretches with nothing to do are passed over by looking at metadata alone, so that an empty terabyte takes
 * no time; that, and the position, is all that the mutex guards.
 *
 *   words     0 mutex, 1 stopped, 2 closed, 3 threads that joined
 *   numbers   below
 *
 * A long stretch is looked up once: where a file has its next hole can be a long search.
 */
const LOCK = 0
const STOPPED = 1
const CLOSED = 2
const JOINED = 3
const WORDS = 4
const NUMBERS_AT = WORDS * 4

const Cell = { next: 0, end: 1, known: 2, kind: 3, read: 4, written: 5, flow: 6, count: 7 } as const

/** What lies at a place, as far as there is something to do. */
export const Kind = {
  /** Nothing to do. */
  skip: 0,
  /** Data of the first disk; of the second; of both. */
  first: 1,
  second: 2,
  both: 3,
  /** Zeros that must be written. */
  zero: 4,
  /** Short stretches of several kinds: to be looked at by who has the piece. */
  mixed: 5,
} as const
export type Kind = (typeof Kind)[keyof typeof Kind]

/** Bytes of the disk that all are of one kind. One object per thread, written over. */
export class Stretch {
  kind: Kind = Kind.skip
  length = 0
}

/** Fills in what lies at `offset`, at most `length` bytes. */
export type Look = (offset: number, length: number, out: Stretch) => void

/** Bytes of a piece: enough that what a piece costs besides copying does not count, and little enough for a cache. */
export const PIECE = 1 << 20

/** Zeros take no copying. */
const ZERO_PIECE = 1 << 30

export class Piece {
  offset = 0
  length = 0
  kind: Kind = Kind.skip
}

export class Course {
  private readonly words: Int32Array
  private readonly numbers: Float64Array
  private readonly mutex: Mutex
  private readonly stretch = new Stretch()
  private readonly bucket: TokenBucket

  /** `end`: bytes. */
  static allocate(end: number): SharedArrayBuffer {
    const memory = new SharedArrayBuffer(NUMBERS_AT + Cell.count * 8)
    new Float64Array(memory, NUMBERS_AT)[Cell.end] = end
    return memory
  }

  /** `rate`: bytes per second that are read at most; null: no limit. */
  constructor(
    memory: SharedArrayBuffer,
    private readonly rate: number | null = null,
  ) {
    this.words = new Int32Array(memory, 0, WORDS)
    this.numbers = new Float64Array(memory, NUMBERS_AT)
    this.mutex = new Mutex(this.words, LOCK, 'course')
    this.bucket = new TokenBucket(this.numbers, Cell.flow, rate ?? Number.POSITIVE_INFINITY)
  }

  /** A thread that has started comes in before its first claim(); false when it is too late. */
  join(): boolean {
    this.mutex.lock()
    const isOpen = atomics.load(this.words, CLOSED) === 0
    if (isOpen) atomics.add(this.words, JOINED, 1)
    this.mutex.unlock()
    return isOpen
  }

  /** Nobody comes in any more; how many did. */
  close(): number {
    this.mutex.lock()
    atomics.store(this.words, CLOSED, 1)
    const joined = atomics.load(this.words, JOINED)
    this.mutex.unlock()
    return joined
  }

  /** The next piece for this thread; false when there is none. What `look` throws ends the call, and nothing else. */
  claim(look: Look, piece: Piece): boolean {
    const { numbers, mutex, stretch } = this
    mutex.lock()
    try {
      const end = numbers[Cell.end]!
      let next = numbers[Cell.next]!
      if (next >= numbers[Cell.known]!) {
        for (; next < end && !this.isStopped; next += stretch.length) {
          look(next, end - next, stretch)
          if (stretch.kind !== Kind.skip) break
          numbers[Cell.next] = next + stretch.length
        }
        const isLong = stretch.length >= PIECE
        numbers[Cell.known] = isLong ? next + stretch.length : next
        numbers[Cell.kind] = stretch.kind
      }
      if (next >= end || this.isStopped) return false
      const known = Math.min(end, numbers[Cell.known]!)
      piece.offset = next
      piece.kind = known > next ? (numbers[Cell.kind] as Kind) : Kind.mixed
      const size = piece.kind === Kind.zero ? ZERO_PIECE : PIECE
      const stop = Math.min(roundDown(next, size) + size, known > next ? known : end)
      piece.length = stop - next
      numbers[Cell.next] = stop
      return true
    } finally {
      mutex.unlock()
    }
  }

  /** Nothing from `offset` on is of interest any more; the least one counts. */
  endAt(offset: number): void {
    this.mutex.lock()
    if (offset < this.numbers[Cell.end]!) this.numbers[Cell.end] = offset
    this.mutex.unlock()
  }

  count(read: number, written: number): void {
    this.mutex.lock()
    this.numbers[Cell.read]! += read
    this.numbers[Cell.written]! += written
    this.mutex.unlock()
  }

  /** Waits until bytes that were read may have been, by the rate. */
  rest(bytes: number): void {
    if (this.rate === null || bytes === 0) return
    this.mutex.lock()
    // What was taken is to be paid for before the next piece: by who took it.
    this.bucket.take(bytes, monotonicTime())
    const pause = this.bucket.take(0, monotonicTime())
    this.mutex.unlock()
    if (pause > 0) atomics.wait(this.words, STOPPED, 0, pause)
  }

  /** No thread gets another piece. */
  stop(): void {
    atomics.store(this.words, STOPPED, 1)
    atomics.wake(this.words, STOPPED, Number.POSITIVE_INFINITY)
  }

  get isStopped(): boolean {
    return atomics.load(this.words, STOPPED) !== 0
  }

  /** Bytes; each may be a piece behind. */
  get position(): number {
    return this.numbers[Cell.next]!
  }

  get end(): number {
    return this.numbers[Cell.end]!
  }

  get read(): number {
    return this.numbers[Cell.read]!
  }

  get written(): number {
    return this.numbers[Cell.written]!
  }
}
