import type { IoBuffer } from '../libc/io-buffer.js'
import { tracer } from '../trace.js'
import { type Copying, Sum } from './copying.js'
import type { ReadPath } from './read-path.js'

const log = tracer('disk')

/**
 * What lies below an image, as one thread reads it. While its contents are copied up, what is waiting in the ring to be
 * stored is taken from there, so that no block is read from the base twice; and what was read is counted.
 *
 * Who reads from the base what others may want, too, holds the fetch of the grains concerned meanwhile, and looks again
 * whether they are still in the base. Lock order: fetch, range, commit, mutex.
 */
export class BaseReads {
  constructor(
    private readonly below: ReadPath,
    private readonly copying: Copying | null,
  ) {}

  /** True when the range is known, without reading it, to be zeros. */
  isZero(offset: number, length: number): boolean {
    return this.below.isZero(1, offset, length)
  }

  /** Returns what release() takes; waits while another thread fetches some of [start, end). */
  hold(start: number, end: number): number {
    return this.copying === null ? -1 : this.copying.fetches.acquire(start, end)
  }

  release(slot: number): void {
    if (slot >= 0) this.copying!.fetches.release(slot)
  }

  read(offset: number, length: number, buffer: IoBuffer, at: number): void {
    const { copying } = this
    if (copying === null) {
      this.below.read(1, offset, length, buffer, at)
      return
    }
    for (let done = 0; done < length; ) {
      const found = copying.ring.copyOut(offset + done, length - done, buffer, at + done)
      if (found > 0) done += found
      else {
        const count = copying.ring.gap(offset + done, length - done)
        this.fetch(offset + done, count, buffer, at + done)
        this.note(offset + done, count)
        done += count
      }
    }
  }

  /** A guest needed this of the base: what a profile is made of. */
  note(offset: number, length: number): void {
    this.copying?.recorder?.note(offset, length)
  }

  /** From the base's files, whatever the ring has. */
  fetch(offset: number, length: number, buffer: IoBuffer, at: number): void {
    const { tally } = this.copying!
    let count = 0
    try {
      count = this.below.read(1, offset, length, buffer, at)
    } catch (error) {
      tally.add(Sum.baseErrors, 1)
      throw error
    }
    if (count === 0) return
    if (log.enabled) log('fetched %d bytes at %d from the base', count, offset)
    tally.add(Sum.baseRead, count)
    tally.add(Sum.baseReads, 1)
  }
}
