import type { CopySettings } from '../formats/copy-settings.js'
import { Mutex } from '../shared/mutex.js'
import { THROUGHPUT_CELLS, Throughput } from './throughput.js'
import { TokenBucket } from './token-bucket.js'

/**
 * Keeps prefetching out of the way of others who use the same base, or the same disk for the image:
 *
 *   limit    every piece takes its bytes from a bucket (token-bucket.ts), and waits until it may
 *   pause    base and image are measured while they are asked (throughput.ts). When one gives less than the least
 *            rate, it is busy with others' work: nothing is fetched for a random time up to `pauseTime`, random so that
 *            many hosts with the same base do not come back together. Then the measurements start anew
 *
 * All threads that prefetch an image share one throttle: a mutex, then cells of 64-bit floats that its holder alone
 * reads and writes. Nothing sleeps here; the caller does, in a way that it can be woken from.
 *
 * Way of one piece: pauseUntil() is 0; delayBefore(bytes) and sleep; beginRead, read, endRead; beginWrite, write,
 * endWrite.
 */
const HEADER_BYTES = 64

const READ = 0
const WRITE = READ + THROUGHPUT_CELLS
const BUCKET = WRITE + THROUGHPUT_CELLS
/** Clock time at which the pause ends; 0 without one. */
const PAUSED_UNTIL = BUCKET + 1
/** Which of BUSY is the reason. */
const REASON = PAUSED_UNTIL + 1
const CELLS = REASON + 1

/** Who gives less than the least rate. */
export type Busy = 'base' | 'image'
const BUSY: readonly Busy[] = ['base', 'image']

/** Seconds: a piece that takes longer at the limit would make the rate jump. */
const SMOOTH = 0.05

export class Throttle {
  private readonly mutex: Mutex
  private readonly cells: Float64Array
  private readonly read: Throughput
  private readonly write: Throughput
  private readonly bucket: TokenBucket
  /** Bytes per second: each byte is read and written, so the smaller limit is the one that counts. */
  private readonly limit: number

  static allocate(): SharedArrayBuffer {
    return new SharedArrayBuffer(HEADER_BYTES + CELLS * 8)
  }

  /** One object per thread. `clock`: the same in all threads, milliseconds; `random`: from 0 to below 1. */
  constructor(
    memory: SharedArrayBuffer,
    private readonly settings: CopySettings,
    private readonly clock: () => number = monotonicTime,
    private readonly random: () => number = Math.random,
  ) {
    this.mutex = new Mutex(new Int32Array(memory, 0, HEADER_BYTES / 4), 0, 'throttle')
    this.cells = new Float64Array(memory, HEADER_BYTES, CELLS)
    const cells = (first: number) => this.cells.subarray(first, first + THROUGHPUT_CELLS)
    this.read = new Throughput(cells(READ), settings.readMeasureTime, settings.averageWeight)
    this.write = new Throughput(cells(WRITE), settings.writeMeasureTime, settings.averageWeight)
    this.limit = Math.min(settings.mostReadRate, settings.mostWriteRate)
    this.bucket = new TokenBucket(this.cells, BUCKET, this.limit)
  }

  /** The most bytes that a piece should have, so that over any second the rate is within 10 % of the limit. */
  get smoothPiece(): number {
    return this.limit * SMOOTH
  }

  /**
   * Milliseconds that the caller sleeps before it reads and stores so many bytes, which are taken from the limit: ask
   * when it is known what there is to fetch, and once.
   */
  delayBefore(bytes: number): number {
    const now = this.enter()
    const delay = this.bucket.take(bytes, now)
    this.mutex.unlock()
    return delay
  }

  /** Of the bytes that delayBefore() took, so many were not fetched after all. */
  giveBack(bytes: number): void {
    this.enter()
    this.bucket.giveBack(bytes)
    this.mutex.unlock()
  }

  beginRead(): void {
    this.read.begin(this.enter())
    this.mutex.unlock()
  }

  /** Also after a read that failed: with the bytes that came. */
  endRead(bytes: number): void {
    const now = this.enter()
    this.ended(this.read, bytes, now, this.settings.leastReadRate, 0)
    this.mutex.unlock()
  }

  beginWrite(): void {
    this.write.begin(this.enter())
    this.mutex.unlock()
  }

  endWrite(bytes: number): void {
    const now = this.enter()
    this.ended(this.write, bytes, now, this.settings.leastWriteRate, 1)
    this.mutex.unlock()
  }

  /** Bytes per second that the base gives while it is asked: the average; 0 before the first measurement. */
  get readRate(): number {
    return this.locked(() => this.read.average)
  }

  /** The same of the image. */
  get writeRate(): number {
    return this.locked(() => this.write.average)
  }

  /** The clock's time until which nothing is to be fetched; 0 when there is no pause. */
  pauseUntil(): number {
    return this.locked(() => this.cells[PAUSED_UNTIL]!)
  }

  /** Why there is a pause; null without one. */
  get why(): Busy | null {
    return this.locked(() => (this.cells[PAUSED_UNTIL] === 0 ? null : BUSY[this.cells[REASON]!]!))
  }

  private ended(meter: Throughput, bytes: number, now: number, least: number, reason: number): void {
    // In a pause, what is still under way ends; that says nothing of the time after it.
    if (!meter.end(bytes, now) || this.cells[PAUSED_UNTIL] !== 0 || meter.average >= least) return
    const until = now + this.random() * this.settings.pauseTime
    this.cells[PAUSED_UNTIL] = until
    this.cells[REASON] = reason
    this.endPause(now)
  }

  /** Takes the mutex; returns the time. */
  private enter(): number {
    this.mutex.lock()
    // Behind the lock: times must not go back from one holder to the next.
    const now = this.clock()
    this.endPause(now)
    return now
  }

  private endPause(now: number): void {
    const until = this.cells[PAUSED_UNTIL]!
    if (until === 0 || now < until) return
    this.cells[PAUSED_UNTIL] = 0
    this.read.restart(now)
    this.write.restart(now)
  }

  private locked<T>(look: () => T): T {
    this.enter()
    const result = look()
    this.mutex.unlock()
    return result
  }
}

/** Milliseconds, with fractions; the same in all threads, where performance.now() counts from each thread's start. */
export function monotonicTime(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1000 + nanoseconds / 1e6
}
