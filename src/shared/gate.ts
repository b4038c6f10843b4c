import * as atomics from './atomics.js'

/**
 * Lets threads in until it is closed, and then tells when the last one has left: for threads that may be stuck somewhere
 * else, and must not touch what is being closed when they come back.
 *
 *   enter     inside + 1, then look whether it is closed; closed: inside - 1, stay out
 *   announce  it is about to be closed: who is at it ends what it has begun, and begins nothing
 *   close     closed, then wait until inside is 0
 */
const STATE = 0
const INSIDE = 1

const OPEN = 0
const ENDING = 1
const CLOSED = 2

export class Gate {
  private readonly words: Int32Array

  static allocate(): SharedArrayBuffer {
    return new SharedArrayBuffer(8)
  }

  constructor(memory: SharedArrayBuffer) {
    this.words = new Int32Array(memory)
  }

  get isClosed(): boolean {
    return atomics.load(this.words, STATE) === CLOSED
  }

  /** It is closed, or about to be. */
  get isEnding(): boolean {
    return atomics.load(this.words, STATE) !== OPEN
  }

  announceEnd(): void {
    atomics.compareExchange(this.words, STATE, OPEN, ENDING)
  }

  /** False when it is closed; who was let in calls leave(). */
  enter(): boolean {
    atomics.add(this.words, INSIDE, 1)
    if (!this.isClosed) return true
    this.leave()
    return false
  }

  leave(): void {
    if (atomics.add(this.words, INSIDE, -1) === 1 && this.isClosed) atomics.wake(this.words, INSIDE, 1)
  }

  /** Nobody gets in any more. */
  close(): void {
    atomics.store(this.words, STATE, CLOSED)
  }

  /** Waits until nobody is inside; false when `milliseconds` went by. */
  waitUntilEmpty(milliseconds: number): boolean {
    const deadline = Date.now() + milliseconds
    for (;;) {
      const inside = atomics.load(this.words, INSIDE)
      if (inside === 0) return true
      const left = deadline - Date.now()
      if (left <= 0) return false
      atomics.wait(this.words, INSIDE, inside, left)
    }
  }
}
