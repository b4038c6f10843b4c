import { roundDown, roundUp } from '../bytes.js'
import { errnoOf, ImageError } from '../errors.js'
import type { WriteBase } from '../formats/copy-settings.js'
import type { WritableDriver } from '../formats/driver.js'
import type { IoBuffer } from '../libc/io-buffer.js'
import * as atomics from '../shared/atomics.js'
import { Bell } from '../shared/bell.js'
import { RangeLock } from '../shared/range-lock.js'
import { BaseUpdate } from './base-update.js'
import type { DiskDescription } from './descriptions.js'
import { DirtyUnits } from './dirty-units.js'
import type { Disk } from './disk.js'
import type { WritePath } from './write-path.js'

/**
 * Writes of an image that is a cache of its base: the base stays the master, and gets what the guest writes within its
 * size. What is behind the base's end goes to the image alone.
 *
 * *writethrough*: under the lock of the units concerned, first the image, then the base, so that both have overlapping
 * writes in one order. A flush commits the image, then the base. The image comes first, as the base may change only
 * where the image has something: what is absent may be on its way into the image, as it was, by the ring. A write that
 * the image failed leaves units in doubt, which the next flush copies to the base; one that the base failed makes every
 * later flush fail, as after a barrier that failed.
 *
 * *writeback*: the unit is marked, then the image written; the base gets it by push(), from a thread of its own or at
 * the end. A push takes the set of marked units at one instant, and copies it as it was then: a writer that meets a
 * unit of the set copies it to the base before it writes. So the base goes, barrier by barrier, from the state of the disk at
 * one instant to that at a later one, each of which has all that was flushed before it. While a push is under way the
 * base has some of it.
 *
 * Lock order: push, unit, then those of the image (fetch, range, commit, mutex), then the same of the base.
 */
export interface BaseWriterDescription {
  readonly mode: Exclude<WriteBase, 'no'>
  /** Bytes from the start of the disk that image and base have in common. */
  readonly size: number
  /** The base with all below it, as a disk of its own. */
  readonly disk: DiskDescription
  readonly units: SharedArrayBuffer
  readonly pushes: SharedArrayBuffer
  readonly dirty: SharedArrayBuffer
  readonly bell: SharedArrayBuffer
  readonly faults: SharedArrayBuffer
}

/** Words of `faults`: the errno of a write that the base failed. */
const FAILED = 0
/** The errno of the last push; 0: it succeeded. */
const FAULT = 1
const FAULTS = 2

/** Bytes that a push holds the lock of at a time, at most. */
const PIECE = 1 << 20

export class BaseWriter {
  private readonly size: number
  private readonly isThrough: boolean
  private readonly units: RangeLock
  private readonly pushes: RangeLock
  private readonly dirty: DirtyUnits
  private readonly faults: Int32Array
  private readonly update: BaseUpdate
  /** For the thread that pushes: rings at flushes that find the base behind. */
  readonly bell: Bell

  static describe(
    mode: BaseWriterDescription['mode'],
    size: number,
    disk: DiskDescription,
  ): BaseWriterDescription {
    return {
      mode,
      size,
      disk,
      units: RangeLock.allocate(),
      pushes: RangeLock.allocate(),
      dirty: DirtyUnits.allocate(size),
      bell: Bell.allocate(),
      faults: new SharedArrayBuffer(FAULTS * Int32Array.BYTES_PER_ELEMENT),
    }
  }

  constructor(
    description: BaseWriterDescription,
    image: WritableDriver,
    private readonly writes: WritePath,
    private readonly base: Disk,
  ) {
    this.size = description.size
    this.isThrough = description.mode === 'writethrough'
    this.units = new RangeLock(description.units)
    this.pushes = new RangeLock(description.pushes)
    this.dirty = new DirtyUnits(description.dirty, this.size)
    this.bell = new Bell(description.bell)
    this.faults = new Int32Array(description.faults)
    this.update = new BaseUpdate(image, base)
  }

  write(offset: number, length: number, buffer: IoBuffer, at: number): void {
    const count = Math.min(length, this.size - offset)
    if (count <= 0) {
      this.writes.write(offset, length, buffer, at)
      return
    }
    const slot = this.hold(offset, count)
    try {
      this.beforeWrite(offset, count)
      try {
        this.writes.write(offset, length, buffer, at)
      } catch (error) {
        this.dirty.mark(offset, offset + count)
        throw error
      }
      if (!this.isThrough) return
      try {
        this.base.write(offset, count, buffer, at)
      } catch (error) {
        this.noteFailure(error)
        throw error
      }
    } finally {
      this.units.release(slot)
    }
  }

  zero(offset: number, length: number): void {
    const count = Math.min(length, this.size - offset)
    if (count <= 0) {
      this.writes.zero(offset, length)
      return
    }
    const slot = this.hold(offset, count)
    try {
      this.beforeWrite(offset, count)
      try {
        this.writes.zero(offset, length)
      } catch (error) {
        this.dirty.mark(offset, offset + count)
        throw error
      }
      if (!this.isThrough) return
      try {
        this.base.zero(offset, count)
      } catch (error) {
        this.noteFailure(error)
        throw error
      }
    } finally {
      this.units.release(slot)
    }
  }

  /** After the image's commit: returns when the mode's promise for what was written before is kept. */
  flush(): void {
    if (!this.isThrough) {
      if (this.isBehind) this.bell.ring()
      return
    }
    this.refuseAfterFailure()
    if (this.isBehind) this.push()
    this.base.flush()
  }

  /** After the image's last commit: the base has everything, durably, and is left as cleanly closed. */
  finish(): void {
    this.refuseAfterFailure()
    try {
      this.push()
      this.base.finish()
    } catch (error) {
      throw new ImageError(
        'IO',
        `${this.path}: has not got everything that was written: ${(error as Error).message}; the image has it: put the storage right, and mount with --write-base=${this.mode} again`,
        { errno: errnoOf(error), cause: error },
      )
    }
  }

  /**
   * Brings the base durably up to a state that the disk has had since the call. Throws what the base throws; what is
   * left then, is left for the next call; as is what the end of its thread left undone, with `untilEnded`.
   */
  push(untilEnded = false): void {
    const held = this.pushes.acquire(0, 1)
    try {
      if (!this.pushTaken(untilEnded) || !this.dirty.isMarked) return
      this.dirty.flip()
      this.pushTaken(untilEnded)
    } catch (error) {
      atomics.store(this.faults, FAULT, errnoOf(error))
      throw error
    } finally {
      this.pushes.release(held)
    }
  }

  /** Writes to the base what it has otherwise than the image, whoever is to blame. Before the first write. */
  compare(): void {
    try {
      this.update.compare(0, this.size)
      this.base.flush()
    } catch (error) {
      throw new ImageError(
        'IO',
        `${this.path}: cannot be brought up to date with the image above it: ${(error as Error).message}; put its storage right, or mount with --write-base=no`,
        { errno: errnoOf(error), cause: error },
      )
    }
  }

  get mode(): BaseWriterDescription['mode'] {
    return this.isThrough ? 'writethrough' : 'writeback'
  }

  get path(): string {
    return this.base.path
  }

  /** Whether something was written that the base has not got. */
  get isBehind(): boolean {
    return this.dirty.isMarked || this.dirty.isTaken
  }

  /** Bytes by which the base is behind, in whole units. */
  get behind(): number {
    return this.isBehind ? this.dirty.count() : 0
  }

  /** Why it is still behind: the errno of the last push that failed, or of a write; 0 when nothing is wrong. */
  get fault(): number {
    return atomics.load(this.faults, FAILED) || atomics.load(this.faults, FAULT)
  }

  /** Whether a flush would make something durable in the base. */
  get needsFlush(): boolean {
    return this.isThrough && (this.isBehind || this.base.needsFlush)
  }

  private hold(offset: number, length: number): number {
    const { unit } = this.dirty
    return this.units.acquire(roundDown(offset, unit), roundUp(offset + length, unit))
  }

  /**
   * What a push has taken goes to the base as it is; then what is to be written is marked. The other way round, a push that
   * begins in between would have its mark taken away.
   */
  private beforeWrite(offset: number, length: number): void {
    if (this.isThrough) return
    const { dirty } = this
    if (dirty.isTaken) {
      try {
        this.pushUnits(roundDown(offset, dirty.unit), offset + length)
      } catch {
        // It stays taken, and the push meets the same error, which it reports. The guest's write is not at fault.
      }
    }
    dirty.mark(offset, offset + length)
  }

  /** False when something is left. */
  private pushTaken(untilEnded: boolean): boolean {
    const { dirty, size } = this
    if (!dirty.isTaken) return true
    for (let start = dirty.nextTaken(0, size); start >= 0; ) {
      const end = dirty.takenEnd(start, start + Math.max(PIECE, dirty.unit))
      const slot = this.units.acquire(start, end)
      try {
        this.pushUnits(start, end)
      } finally {
        this.units.release(slot)
      }
      if (untilEnded && this.bell.isEnded) return false
      start = dirty.nextTaken(end, size)
    }
    this.base.flush()
    atomics.store(this.faults, FAULT, 0)
    dirty.takenDone()
    return true
  }

  /** Copies what is taken of [start, end), which is locked. */
  private pushUnits(start: number, end: number): void {
    const { dirty, size } = this
    for (let from = dirty.nextTaken(start, end); from >= 0; ) {
      const to = dirty.takenEnd(from, end)
      this.update.copy(from, Math.min(to, size))
      dirty.clearTaken(from, to)
      from = dirty.nextTaken(to, end)
    }
  }

  private noteFailure(error: unknown): void {
    atomics.store(this.faults, FAILED, errnoOf(error))
  }

  private refuseAfterFailure(): void {
    const number = atomics.load(this.faults, FAILED)
    if (number === 0) return
    throw new ImageError(
      'IO',
      `${this.path}: an earlier write to this base failed, so the image has what the base has not; unmount, put the storage right, and mount with --write-base=writethrough again`,
      { errno: number },
    )
  }
}
