import { ImageError } from '../errors.js'
import * as atomics from './atomics.js'

/**
 * Mutual exclusion between threads, in one 32-bit word of shared memory:
 *
 *   0 free → 1 held → 0 free                       nobody waited
 *   1 held → 2 held, someone may sleep → 0 free    the one who unlocks wakes one sleeper
 *
 * Held for a few memory accesses, at most for a read or write of the image's own metadata; never across a barrier
 * or a read of a base. Not recursive. Lock order: range lock, then mutex.
 */
export class Mutex {
  constructor(
    private readonly words: Int32Array,
    private readonly index: number,
    private readonly name: string,
  ) {}

  lock(): void {
    const { words, index } = this
    if (atomics.compareExchange(words, index, 0, 1) === 0) return
    const deadline = Date.now() + atomics.WAIT_LIMIT
    while (atomics.exchange(words, index, 2) !== 0) {
      if (!atomics.wait(words, index, 2, atomics.WAIT_LIMIT) || Date.now() > deadline) {
        throw new ImageError(
          'IO',
          `the lock "${this.name}" was not released: this is a bug in rawmount, please report it`,
        )
      }
    }
  }

  unlock(): void {
    if (atomics.exchange(this.words, this.index, 0) === 2) atomics.wake(this.words, this.index, 1)
  }
}
