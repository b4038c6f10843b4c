import { ImageError } from '../errors.js'
import * as atomics from './atomics.js'
import { Mutex } from './mutex.js'

/**
 * Locks on ranges of the guest disk, between threads. Whoever allocates, copies up or zeroes holds the
 * grain-aligned range; readers and in-place writers hold nothing.
 *
 * Shared memory: a mutex, a generation and a count of sleepers, then SLOTS pairs of Float64 (start, end), free
 * when end is 0. The table is read and written under the mutex only. Who finds an overlap (or no free slot)
 * sleeps until the generation moves, which every release makes it do, and looks again.
 *
 * A thread holds at most one range at a time, so that ranges cannot wait for each other in a circle. Lock order:
 * range lock, then commit, then mutex.
 */
const SLOTS = 128
const MUTEX = 0
const GENERATION = 1
const SLEEPERS = 2
const HEADER_BYTES = 16

export class RangeLock {
  private readonly words: Int32Array
  private readonly ranges: Float64Array
  private readonly mutex: Mutex

  static allocate(): SharedArrayBuffer {
    return new SharedArrayBuffer(HEADER_BYTES + SLOTS * 16)
  }

  constructor(memory: SharedArrayBuffer) {
    this.words = new Int32Array(memory, 0, HEADER_BYTES / 4)
    this.ranges = new Float64Array(memory, HEADER_BYTES)
    this.mutex = new Mutex(this.words, MUTEX, 'range lock')
  }

  /** Waits until [start, end) overlaps no held range, then holds it. Returns the slot to give to release(). */
  acquire(start: number, end: number): number {
    if (!(start < end)) throw new RangeError(`empty range ${start}..${end}`)
    const deadline = Date.now() + atomics.WAIT_LIMIT
    for (;;) {
      this.mutex.lock()
      const slot = this.freeSlotUnlessOverlapping(start, end)
      if (slot >= 0) {
        this.ranges[slot * 2] = start
        this.ranges[slot * 2 + 1] = end
        this.mutex.unlock()
        return slot
      }
      const generation = atomics.load(this.words, GENERATION)
      atomics.add(this.words, SLEEPERS, 1)
      this.mutex.unlock()
      const woken = atomics.wait(this.words, GENERATION, generation, atomics.WAIT_LIMIT)
      atomics.add(this.words, SLEEPERS, -1)
      if (!woken || Date.now() > deadline) {
        throw new ImageError(
          'IO',
          `waited ${atomics.WAIT_LIMIT / 1000} s for another request on bytes ${start}..${end}: its storage does not answer`,
        )
      }
    }
  }

  release(slot: number): void {
    this.mutex.lock()
    this.ranges[slot * 2 + 1] = 0
    atomics.add(this.words, GENERATION, 1)
    const sleepers = atomics.load(this.words, SLEEPERS)
    this.mutex.unlock()
    if (sleepers > 0) atomics.wake(this.words, GENERATION, sleepers)
  }

  private freeSlotUnlessOverlapping(start: number, end: number): number {
    let free = -1
    for (let slot = SLOTS - 1; slot >= 0; slot--) {
      const heldEnd = this.ranges[slot * 2 + 1]
      if (heldEnd === 0) free = slot
      else if (start < heldEnd && this.ranges[slot * 2] < end) return -1
    }
    return free
  }
}
