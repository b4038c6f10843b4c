import { roundDown, roundUp } from '../bytes.js'
import { Mapping, Where, type WritableDriver } from '../formats/driver.js'
import { IoBuffer } from '../libc/io-buffer.js'
import type { FetchRing } from '../shared/fetch-ring.js'
import type { BaseReads } from './base-reads.js'
import type { Committer } from './committer.js'
import { type Copying, Sum, storedBytes } from './copying.js'
import { Extent, type ExtentWalk } from './extents.js'
import type { WritePath } from './write-path.js'

/** Measures what base and image give. */
export interface Meter {
  beginRead(): void
  endRead(bytes: number): void
  beginWrite(): void
  endWrite(bytes: number): void
}

/**
 * What copiers do to a disk: store what readers fetched, and fetch what nobody has read yet. Never over anything that is
 * in the image: WritePath.copyUp looks again under the range lock. One object per thread.
 *
 * A copier may be stuck in the base while the image is being closed: it stores only while the gate lets it.
 */
export class CopyPath {
  /** The length of what nextAbsent() found. */
  absentLength = 0
  readonly ring: FetchRing
  private readonly run = new Mapping()
  private readonly extent = new Extent()
  private buffer: IoBuffer | null = null

  constructor(
    private readonly driver: WritableDriver,
    private readonly below: ExtentWalk,
    private readonly base: BaseReads,
    private readonly writes: WritePath,
    private readonly copying: Copying,
    private readonly committer: Committer,
  ) {
    this.ring = copying.ring
  }

  /** Bytes of the disk that the base covers. */
  get covered(): number {
    return this.copying.covered
  }

  get grain(): number {
    return this.driver.grain
  }

  /** Where the next range begins, at or behind `offset` and before `end`, that is still in the base; -1: nowhere. */
  nextAbsent(offset: number, end: number): number {
    const { driver, run } = this
    for (let next = offset; next < end; next += run.length) {
      driver.map(next, end - next, run)
      if (run.where !== Where.absent) continue
      this.absentLength = run.length
      return next
    }
    return -1
  }

  /** Stores the oldest range that a reader fetched; false when there is none, or the gate is closed. */
  storeOne(): boolean {
    const { copying, ring } = this
    if (!copying.gate.enter()) return false
    try {
      const entry = ring.take()
      if (entry < 0) return false
      try {
        this.store(ring.offset(entry), ring.length(entry), ring.buffer, ring.placeOf(entry), Sum.kept)
      } catch (error) {
        copying.tally.add(Sum.skipped, ring.length(entry))
        throw error
      } finally {
        ring.free(entry)
      }
      return true
    } finally {
      copying.gate.leave()
    }
  }

  /**
   * Fetches and stores what of [offset, offset + length), whole grains, is still in the base and not on its way into the
   * image; returns the bytes that were read.
   */
  copyPiece(offset: number, length: number, meter: Meter): number {
    const end = Math.min(offset + length, this.covered)
    const portion = Math.max(this.grain, roundDown(BUFFER_BYTES, this.grain))
    let fetched = 0
    // Readers of what is being fetched wait for it, so not too much at a time.
    for (let next = offset; next < end && !(next > offset && this.isEnding); next += portion) {
      fetched += this.copyPortion(next, Math.min(next + portion, end), meter)
    }
    return fetched
  }

  private copyPortion(offset: number, end: number, meter: Meter): number {
    const { base, driver, ring, run } = this
    const held = base.hold(offset, end)
    let fetched = 0
    try {
      for (let next = offset; next < end; ) {
        // First the ring, then the image: what leaves the one in between is found in the other.
        const gap = ring.gap(next, end - next)
        if (gap === 0) {
          next = Math.min(end, roundDown(next, driver.grain) + driver.grain)
          continue
        }
        driver.map(next, gap, run)
        if (run.where !== Where.absent) {
          next += run.length
          continue
        }
        const count = run.length
        const zeros = this.zerosBelow(next, next + count)
        if (zeros > 0) {
          if (!this.storeZeros(next, zeros)) break
          next += zeros
        } else {
          const bytes = this.dataBelow(next, next + count)
          if (!this.copyData(next, bytes, meter)) break
          fetched += bytes
          next += bytes
        }
      }
    } finally {
      base.release(held)
    }
    return fetched
  }

  /** @see WritableDriver.becomeIndependent; false where the format cannot. */
  becomeIndependent(): boolean {
    return this.committer.becomeIndependent()
  }

  /** Makes everything that was stored durable. */
  flush(): void {
    this.committer.commit()
  }

  /** Looks through the whole image for what is still in the base, so that what is left of it can be told. */
  countRemaining(): void {
    const { copying, covered } = this
    let remaining = 0
    for (
      let at = this.nextAbsent(0, covered);
      at >= 0;
      at = this.nextAbsent(at + this.absentLength, covered)
    ) {
      remaining += this.absentLength
    }
    copying.tally.set(Sum.counted, remaining + storedBytes(copying.tally))
  }

  /** Nothing is left in the base. */
  countNone(): void {
    const { tally } = this.copying
    tally.set(Sum.counted, storedBytes(tally))
  }

  /** A number that changes with each request of the guest. */
  get activity(): number {
    return this.copying.activity[0]!
  }

  /** What was begun is to be ended, and nothing else begun. */
  get isEnding(): boolean {
    return this.copying.gate.isEnding
  }

  /** Bytes of [start, end), in whole grains, that the base is known to have nothing in. */
  private zerosBelow(start: number, end: number): number {
    const { extent } = this
    let next = start
    while (next < end) {
      this.below.next(next, end - next, extent)
      if (extent.data && !extent.hole) break
      next += extent.length
    }
    return next === end ? end - start : roundDown(next, this.driver.grain) - start
  }

  /** Bytes of [start, end), in whole grains and as the buffer takes them, until the base is known to have nothing. */
  private dataBelow(start: number, end: number): number {
    const { extent } = this
    const stop = Math.min(end, start + this.room().length)
    let next = start
    while (next < stop) {
      this.below.next(next, stop - next, extent)
      if (!extent.data || extent.hole) break
      next += extent.length
    }
    return (
      Math.max(Math.min(roundUp(next, this.driver.grain), stop), Math.min(start + this.driver.grain, stop)) -
      start
    )
  }

  private copyData(offset: number, length: number, meter: Meter): boolean {
    const { copying } = this
    const buffer = this.room()
    meter.beginRead()
    let read = 0
    try {
      this.base.fetch(offset, length, buffer, 0)
      read = length
    } finally {
      meter.endRead(read)
    }
    if (!copying.gate.enter()) return false
    meter.beginWrite()
    let written = 0
    try {
      written = this.store(offset, length, buffer, 0, Sum.prefetched)
    } finally {
      meter.endWrite(written)
      copying.gate.leave()
    }
    return true
  }

  private storeZeros(offset: number, length: number): boolean {
    const { copying, writes, committer } = this
    if (!copying.gate.enter()) return false
    try {
      if (writes.copyUpZeros(offset, length, Sum.prefetched) > 0) committer.markWritten()
    } finally {
      copying.gate.leave()
    }
    return true
  }

  /** Grains of nothing but zeros take no storage where the format allows. Returns the bytes that were not zeros. */
  private store(offset: number, length: number, buffer: IoBuffer, at: number, sum: number): number {
    const { grain } = this.driver
    let stored = 0
    for (let start = 0; start < length; ) {
      const zeros = isZero(buffer, at + start, Math.min(grain, length - start))
      let end = start
      do end = Math.min(end + grain, length)
      while (end < length && isZero(buffer, at + end, Math.min(grain, length - end)) === zeros)
      stored += zeros
        ? this.writes.copyUpZeros(offset + start, end - start, sum)
        : this.writes.copyUp(offset + start, end - start, buffer, at + start, sum)
      start = end
    }
    if (stored > 0) this.committer.markWritten()
    return stored
  }

  /** Takes a grain at least; made when it is needed. */
  private room(): IoBuffer {
    this.buffer ??= new IoBuffer(Math.max(BUFFER_BYTES, this.driver.grain))
    return this.buffer
  }
}

const BUFFER_BYTES = 1 << 20

/** By words of 64 bits: everything here is a multiple of a sector. */
function isZero(buffer: IoBuffer, at: number, length: number): boolean {
  const { view } = buffer
  for (let i = at; i < at + length; i += 8) {
    if (view.getInt32(i, true) !== 0 || view.getInt32(i + 4, true) !== 0) return false
  }
  return true
}
