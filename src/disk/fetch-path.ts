import { roundDown, roundUp } from '../bytes.js'
import { Mapping, Where, type WritableDriver } from '../formats/driver.js'
import type { IoBuffer } from '../libc/io-buffer.js'
import type { BaseReads } from './base-reads.js'
import { type Copying, Sum } from './copying.js'

/**
 * The read path of an image that is being filled from its base. What is in the image is read as ever, without a lock.
 * What is not is fetched in whole grains, once:
 *
 *   hold the fetch of the grains → map again → from the ring, or → map once more → from the base → release
 *
 * With copy-on-read the grains go to the ring, and from there to the reader; a copier stores them later (src/copy). When
 * the ring is full, or cannot take a grain, they go to the reader alone: nobody waits for room. One object per thread.
 */

/** Bytes that go to the ring in one piece. */
const PIECE = 1 << 20

export class FetchPath {
  private readonly run = new Mapping()

  constructor(
    private readonly driver: WritableDriver,
    private readonly base: BaseReads,
    private readonly copying: Copying,
  ) {}

  read(offset: number, length: number, buffer: IoBuffer, at: number): void {
    const { driver, run, copying } = this
    // Lost additions of other threads do no harm: it is the change that counts.
    copying.activity[0]!++
    for (let done = 0; done < length; ) {
      driver.map(offset + done, length - done, run)
      const { where } = run
      if (where === Where.absent) {
        done += this.readAbsent(offset + done, run.length, buffer, at + done)
        continue
      }
      const got = where === Where.data ? run.file!.read(buffer, at + done, run.length, run.offset) : 0
      if (got < run.length) buffer.bytes.fill(0, at + done + got, at + done + run.length)
      done += run.length
    }
  }

  /** Returns how many bytes were read; 0 when the range is in the image by now, so that the caller maps again. */
  private readAbsent(offset: number, length: number, buffer: IoBuffer, at: number): number {
    try {
      return this.readBelow(offset, length, buffer, at)
    } catch (error) {
      // The base may have been let go since the range was mapped: then the image has it.
      if (!this.isAbsent(offset)) return 0
      throw error
    }
  }

  private readBelow(offset: number, length: number, buffer: IoBuffer, at: number): number {
    const { copying, base } = this
    if (offset >= copying.covered || base.isZero(offset, length)) {
      buffer.bytes.fill(0, at, at + length)
      return length
    }
    const wanted = Math.min(length, copying.covered - offset)
    if (copying.keeps) return this.readOnce(offset, wanted, buffer, at)
    base.fetch(offset, wanted, buffer, at)
    base.note(offset, wanted)
    return wanted
  }

  private readOnce(offset: number, length: number, buffer: IoBuffer, at: number): number {
    const { base, copying, driver, run } = this
    const start = roundDown(offset, driver.grain)
    const least = Math.min(start + driver.grain, copying.covered)
    const end = Math.max(
      least,
      Math.min(
        roundUp(offset + length, driver.grain),
        roundDown(start + PIECE, driver.grain),
        copying.covered,
      ),
    )
    const held = base.hold(start, end)
    try {
      driver.map(offset, Math.min(length, end - offset), run)
      if (run.where !== Where.absent) return 0
      const queued = copying.ring.copyOut(offset, run.length, buffer, at)
      if (queued > 0) return queued
      const gapEnd = start + copying.ring.gap(start, end - start)
      // What the ring had a moment ago is in the image by now: only what neither of them has was never fetched.
      driver.map(offset, Math.min(length, gapEnd - offset), run)
      if (run.where !== Where.absent) return 0
      const stop = Math.min(roundUp(offset + run.length, driver.grain), copying.covered)
      return this.fetchAndKeep(start, stop, offset, run.length, buffer, at)
    } finally {
      base.release(held)
    }
  }

  /** Fetches the grains of [start, end) into the ring, and gives [offset, offset + count) of them to the reader. */
  private fetchAndKeep(
    start: number,
    end: number,
    offset: number,
    count: number,
    buffer: IoBuffer,
    at: number,
  ): number {
    const { base, copying } = this
    const { ring } = copying
    base.note(offset, count)
    const entry = ring.reserve(start, end - start)
    if (entry < 0) {
      copying.tally.add(Sum.skipped, count)
      base.fetch(offset, count, buffer, at)
      return count
    }
    try {
      base.fetch(start, end - start, ring.buffer, ring.placeOf(entry))
    } catch (error) {
      ring.free(entry)
      throw error
    }
    buffer.copyFrom(ring.buffer, ring.placeOf(entry) + offset - start, count, at)
    ring.ready(entry)
    return count
  }

  private isAbsent(offset: number): boolean {
    this.driver.map(offset, 1, this.run)
    return this.run.where === Where.absent
  }
}
