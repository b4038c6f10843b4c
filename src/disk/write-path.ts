import { roundDown, roundUp } from '../bytes.js'
import { Mapping, Place, Where, type WritableDriver } from '../formats/driver.js'
import { IoBuffer } from '../libc/io-buffer.js'
import type { RangeLock } from '../shared/range-lock.js'
import { tracer } from '../trace.js'
import type { BaseReads } from './base-reads.js'
import { type Copying, Sum } from './copying.js'

const log = tracer('disk')

/**
 * The one write path. Present ranges are written in place, without a lock. An absent range is allocated, filled
 * and published under the range lock of its grains:
 *
 *   lock → map again (another writer may have been first) → (allocate → fill and write → publish) … → unlock
 *
 * so that readers see the old contents or all of the new, and no writer's bytes are overwritten by older ones of
 * the base. Copying up is the same act, for what is still absent when it is looked at under the lock, and for nothing
 * else. One object per thread.
 */

/** A grain up to this size is put together in memory and written at once; a larger one is filled piece by piece. */
const SCRATCH_BYTES = 1 << 20

/** A guest's write longer than this goes out from its own buffer: copying it costs more than one more pwrite. */
const COPY_LIMIT = 64 << 10

const ZEROS = new IoBuffer(1 << 20)

export class WritePath {
  private readonly run = new Mapping()
  private readonly place = new Place()
  private readonly scratch = new IoBuffer(SCRATCH_BYTES)

  constructor(
    private readonly driver: WritableDriver,
    private readonly base: BaseReads,
    private readonly locks: RangeLock,
    /** Not null while the image is being filled from its base. */
    private readonly copying: Copying | null,
  ) {}

  write(offset: number, length: number, buffer: IoBuffer, at: number): void {
    const { copying, driver, run } = this
    if (copying !== null) copying.activity[0]!++
    let done = 0
    while (done < length) {
      driver.map(offset + done, length - done, run)
      if (run.where === Where.data) {
        run.file!.write(buffer, at + done, run.length, run.offset)
        done += run.length
      } else {
        done += this.writeAbsent(offset + done, run.length, buffer, at + done)
      }
    }
  }

  /**
   * Stores what was read from the base, in whole grains, where the image still has nothing. `sum`: whom it counts for.
   * Returns how many bytes were stored.
   */
  copyUp(offset: number, length: number, buffer: IoBuffer, at: number, sum: number): number {
    const { driver, run } = this
    const end = offset + length
    let stored = 0
    for (let next = offset; next < end; ) {
      driver.map(next, end - next, run)
      if (run.where !== Where.absent) next += run.length
      else {
        const count = this.writeAbsent(next, run.length, buffer, at + next - offset, sum)
        next += count
        stored += count
      }
    }
    return stored
  }

  /** The same for whole grains that are zeros in the base: they take no storage where the format allows. */
  copyUpZeros(offset: number, length: number, sum: number): number {
    const { driver, run } = this
    const end = offset + length
    let stored = 0
    for (let next = offset; next < end; ) {
      driver.map(next, end - next, run)
      if (run.where !== Where.absent) next += run.length
      else {
        const count = this.publishZeros(next, next + run.length, sum)
        next += count
        stored += count
      }
    }
    return stored
  }

  /** The range reads as zeros from now on; storage is given back, or never taken, where the format allows. */
  zero(offset: number, length: number): void {
    const { driver, run } = this
    const end = offset + length
    let next = offset
    while (next < end) {
      driver.map(next, end - next, run)
      if (run.where === Where.data) {
        run.file!.zero(run.offset, run.length)
        next += run.length
      } else if (run.where === Where.zero) {
        next += run.length
      } else {
        const { length: absent } = run
        next += this.isZeroBelow(next, absent) ? absent : this.zeroAbsent(next, absent)
      }
    }
  }

  /** Also false for a base that was let go since the range was mapped: then the image has it. */
  private isZeroBelow(offset: number, length: number): boolean {
    try {
      return this.base.isZero(offset, length)
    } catch (error) {
      this.driver.map(offset, length, this.run)
      if (this.run.where === Where.absent) throw error
      return false
    }
  }

  /** Returns how many bytes were written; 0 when the range is no more what it was, so that the caller maps again. */
  private writeAbsent(
    offset: number,
    length: number,
    buffer: IoBuffer,
    at: number,
    sum: number = Sum.written,
  ): number {
    const { base, copying, driver, run, place } = this
    const { where } = run
    const grain = where === Where.absent ? driver.grain : driver.zeroGrain
    const start = roundDown(offset, grain)
    const end = Math.min(roundUp(offset + length, grain), driver.size)
    // What else is in the grains comes from the base, unless someone is fetching it already.
    const isWhole = offset === start && offset + length >= Math.min(end, driver.absentEnd)
    const held = where === Where.absent && !isWhole ? base.hold(start, end) : -1
    let slot = -1
    try {
      slot = this.locks.acquire(start, end)
      driver.map(start, end - start, run)
      if (run.where !== where) return 0
      const stop = start + run.length
      // A prefix of the grains may have been taken meanwhile by another kind.
      if (stop <= offset) return 0
      // Who needs nothing of the base does not ask it: it may not answer.
      const isCovered = offset <= start && offset + length >= stop
      const zeroBelow = where === Where.zero || isCovered || this.base.isZero(start, run.length)
      for (let next = start; next < stop; next += place.length) {
        driver.allocate(next, stop - next, place)
        const from = Math.max(offset, next)
        const count = Math.max(0, Math.min(offset + length, next + place.length) - from)
        const head = count === 0 ? 0 : from - next
        try {
          if (zeroBelow) this.fillFromZeros(head, count, buffer, at + from - offset)
          else this.fillFromBelow(next, head, count, buffer, at + from - offset)
        } catch (error) {
          driver.abandon(place)
          throw error
        }
        driver.publish(next, place)
        if (log.enabled) log('%d bytes at %d of the disk get storage at %d', place.length, next, place.offset)
        if (copying !== null && where === Where.absent) copying.stored(sum, next, next + place.length)
      }
      return Math.min(offset + length, stop) - offset
    } finally {
      if (slot >= 0) this.locks.release(slot)
      base.release(held)
    }
  }

  /** Writes the guest's bytes into the place; the rest of it must read as zeros. */
  private fillFromZeros(head: number, count: number, buffer: IoBuffer, at: number): void {
    const { scratch } = this
    const { file, offset, length, fresh } = this.place
    if (fresh || count === length) {
      if (count > 0) file!.write(buffer, at, count, offset + head)
    } else if (length <= COPY_LIMIT) {
      scratch.bytes.fill(0, 0, length)
      if (count > 0) scratch.copyFrom(buffer, at, count, head)
      file!.write(scratch, 0, length, offset)
    } else {
      file!.zero(offset, length)
      if (count > 0) file!.write(buffer, at, count, offset + head)
    }
  }

  /** Copy-on-write: what the guest did not write of the place comes from the image below. `count` may be 0. */
  private fillFromBelow(start: number, head: number, count: number, buffer: IoBuffer, at: number): void {
    const { scratch, base } = this
    const { file, offset, length } = this.place
    if (count === length) {
      file!.write(buffer, at, count, offset)
    } else if (length <= scratch.length && count <= COPY_LIMIT) {
      base.read(start, length, scratch, 0)
      if (count > 0) scratch.copyFrom(buffer, at, count, head)
      file!.write(scratch, 0, length, offset)
    } else {
      this.fillRest(start, 0, head)
      if (count > 0) file!.write(buffer, at, count, offset + head)
      this.fillRest(start, head + count, length)
    }
  }

  /** Copies [from, to) of the grains at `start` from the image below into the place. */
  private fillRest(start: number, from: number, to: number): void {
    const { scratch, place } = this
    for (let next = from; next < to; next += scratch.length) {
      const count = Math.min(scratch.length, to - next)
      this.base.read(start + next, count, scratch, 0)
      place.file!.write(scratch, 0, count, place.offset + next)
    }
  }

  /** Zeroes a prefix of an absent range over non-zero contents below; returns its length, 0 to look again. */
  private zeroAbsent(offset: number, length: number): number {
    const { driver } = this
    const end = offset + length
    const start = roundUp(offset, driver.grain)
    // The last grain is whole even where it is cut.
    const stop = end === driver.absentEnd ? end : roundDown(end, driver.grain)
    if (start !== offset || stop <= start) {
      const upto = Math.min(end, roundDown(offset, driver.grain) + driver.grain, offset + ZEROS.length)
      return this.writeAbsent(offset, upto - offset, ZEROS, 0)
    }
    return this.publishZeros(start, stop, Sum.written)
  }

  /** Whole grains that are absent read as zeros from now on; returns the length of the prefix of which that is true. */
  private publishZeros(start: number, end: number, sum: number): number {
    const { copying, driver, run } = this
    const slot = this.locks.acquire(start, end)
    try {
      driver.map(start, end - start, run)
      if (run.where !== Where.absent) return 0
      driver.publishZeros(start, run.length)
      copying?.stored(sum, start, start + run.length)
      return run.length
    } finally {
      this.locks.release(slot)
    }
  }
}
