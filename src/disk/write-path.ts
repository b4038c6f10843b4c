import { roundDown, roundUp } from '../bytes.js'
import { Mapping, Place, Where, type WritableDriver } from '../formats/driver.js'
import { IoBuffer } from '../libc/io-buffer.js'
import type { RangeLock } from '../shared/range-lock.js'
import type { ReadPath } from './read-path.js'

/**
 * The one write path. Present ranges are written in place, without a lock. An absent range is allocated, filled
 * and published under the range lock of its grains:
 *
 *   lock → map again (another writer may have been first) → (allocate → fill and write → publish) … → unlock
 *
 * so that readers see the old contents or all of the new, and no writer's bytes are overwritten by older ones of
 * the base. One object per thread.
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
    private readonly below: ReadPath,
    private readonly locks: RangeLock,
  ) {}

  write(offset: number, length: number, buffer: IoBuffer, at: number): void {
    const { driver, run } = this
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
      } else if (run.where === Where.zero || this.below.isZero(1, next, run.length)) {
        next += run.length
      } else {
        next += this.zeroAbsent(next, run.length)
      }
    }
  }

  /** Returns how many bytes were written; 0 when the range is no more what it was, so that the caller maps again. */
  private writeAbsent(offset: number, length: number, buffer: IoBuffer, at: number): number {
    const { driver, run, place } = this
    const { where } = run
    const grain = where === Where.absent ? driver.grain : driver.zeroGrain
    const start = roundDown(offset, grain)
    const end = Math.min(roundUp(offset + length, grain), driver.size)
    const slot = this.locks.acquire(start, end)
    try {
      driver.map(start, end - start, run)
      if (run.where !== where) return 0
      const stop = start + run.length
      // A prefix of the grains may have been taken meanwhile by another kind.
      if (stop <= offset) return 0
      const zeroBelow = where === Where.zero || this.below.isZero(1, start, run.length)
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
      }
      return Math.min(offset + length, stop) - offset
    } finally {
      this.locks.release(slot)
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
    const { scratch, below } = this
    const { file, offset, length } = this.place
    if (count === length) {
      file!.write(buffer, at, count, offset)
    } else if (length <= scratch.length && count <= COPY_LIMIT) {
      below.read(1, start, length, scratch, 0)
      if (count > 0) scratch.copyFrom(buffer, at, count, head)
      file!.write(scratch, 0, length, offset)
    } else {
      this.copyUp(start, 0, head)
      if (count > 0) file!.write(buffer, at, count, offset + head)
      this.copyUp(start, head + count, length)
    }
  }

  /** Copies [from, to) of the grains at `start` from the image below into the place. */
  private copyUp(start: number, from: number, to: number): void {
    const { scratch, place } = this
    for (let next = from; next < to; next += scratch.length) {
      const count = Math.min(scratch.length, to - next)
      this.below.read(1, start + next, count, scratch, 0)
      place.file!.write(scratch, 0, count, place.offset + next)
    }
  }

  /** Zeroes a prefix of an absent range over non-zero contents below; returns its length, 0 to look again. */
  private zeroAbsent(offset: number, length: number): number {
    const { driver, run } = this
    const end = offset + length
    const start = roundUp(offset, driver.grain)
    // The last grain is whole even where it is cut.
    const stop = end === driver.absentEnd ? end : roundDown(end, driver.grain)
    if (start !== offset || stop <= start) {
      const upto = Math.min(end, roundDown(offset, driver.grain) + driver.grain, offset + ZEROS.length)
      return this.writeAbsent(offset, upto - offset, ZEROS, 0)
    }
    const slot = this.locks.acquire(start, stop)
    try {
      driver.map(start, stop - start, run)
      if (run.where !== Where.absent) return 0
      driver.publishZeros(start, run.length)
      return run.length
    } finally {
      this.locks.release(slot)
    }
  }
}
