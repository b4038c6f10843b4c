import { ImageError } from '../errors.js'
import type { WritableDriver } from '../formats/driver.js'
import { SystemError } from '../libc/errno.js'
import * as atomics from '../shared/atomics.js'
import { Mutex } from '../shared/mutex.js'
import { tracer } from '../trace.js'

const log = tracer('disk')

/**
 * One commit at a time, for all threads. Who waited while a commit began and ended after its call has what it
 * wants and returns: many fsyncs share one pair of barriers.
 *
 * A barrier that failed may have lost any earlier write, and the system reports it only once: from then on every
 * commit of this open image fails with that errno, so that success is never reported over lost data.
 *
 * Lock order: range lock, then this, then the driver's mutexes. It is held across barriers; the driver's are not.
 */
const LOCK = 0
const BEGUN = 1
const FINISHED = 2
const FAILED = 3
/** 1 = something was written that no commit has begun to make durable. */
const WRITTEN = 4
const WORDS = 6
/** A 64-bit float behind the words: milliseconds that commits took, all together. */
const MILLISECONDS_AT = WORDS * 4

export class Committer {
  private readonly words: Int32Array
  /** Written with the lock held; who reads it may be a commit behind. */
  private readonly milliseconds: Float64Array
  private readonly lock: Mutex

  static allocate(): SharedArrayBuffer {
    return new SharedArrayBuffer(MILLISECONDS_AT + 8)
  }

  constructor(
    memory: SharedArrayBuffer,
    private readonly driver: WritableDriver,
    private readonly path: string,
  ) {
    this.words = new Int32Array(memory, 0, WORDS)
    this.milliseconds = new Float64Array(memory, MILLISECONDS_AT, 1)
    this.lock = new Mutex(this.words, LOCK, 'commit')
  }

  /** Commits since the image was opened. */
  get commits(): number {
    return atomics.load(this.words, FINISHED)
  }

  /** Seconds that they took, all together. */
  get commitSeconds(): number {
    return this.milliseconds[0]! / 1000
  }

  /** Called after each write, so that a commit that began before it completed does not count for it. */
  markWritten(): void {
    if (atomics.load(this.words, WRITTEN) === 0) atomics.store(this.words, WRITTEN, 1)
  }

  /** False when a commit would make nothing durable that is not. */
  get isNeeded(): boolean {
    return atomics.load(this.words, WRITTEN) !== 0 || this.driver.pending() > 0
  }

  /** Returns when everything written before the call is durable. */
  commit(): void {
    const begunBefore = atomics.load(this.words, BEGUN)
    this.lock.lock()
    try {
      this.refuseAfterFailure()
      if (atomics.load(this.words, FINISHED) > begunBefore) return
      this.run(() => this.driver.commit())
    } finally {
      this.lock.unlock()
    }
  }

  /** The last commit: the file is left as cleanly closed. */
  finish(): void {
    this.lock.lock()
    try {
      this.refuseAfterFailure()
      this.run(() => this.driver.finish())
    } finally {
      this.lock.unlock()
    }
  }

  /** @see WritableDriver.becomeIndependent; false where the format cannot. */
  becomeIndependent(): boolean {
    const { driver } = this
    if (driver.becomeIndependent === undefined) return false
    this.lock.lock()
    try {
      this.refuseAfterFailure()
      this.run(() => driver.becomeIndependent!())
      return true
    } finally {
      this.lock.unlock()
    }
  }

  private run(act: () => void): void {
    const number = atomics.add(this.words, BEGUN, 1) + 1
    atomics.store(this.words, WRITTEN, 0)
    const began = performance.now()
    try {
      act()
    } catch (error) {
      if (error instanceof SystemError && error.syscall === 'fdatasync') {
        atomics.store(this.words, FAILED, error.errno)
      }
      // A commit that failed did nobody's work: the counts agree again, and the next one is a new one.
      atomics.store(this.words, BEGUN, number - 1)
      atomics.store(this.words, WRITTEN, 1)
      throw error
    }
    const took = performance.now() - began
    this.milliseconds[0]! += took
    if (log.enabled) log('%s: commit %d took %s ms', this.path, number, took.toFixed(1))
    atomics.store(this.words, FINISHED, number)
  }

  private refuseAfterFailure(): void {
    const errno = atomics.load(this.words, FAILED)
    if (errno === 0) return
    const message = `${this.path}: an earlier flush failed, so written data may be lost; unmount, and check the storage and the image`
    throw new ImageError('IO', message, { errno })
  }
}
