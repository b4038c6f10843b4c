import { roundDown } from '../bytes.js'
import { Mapping, Where, type WritableDriver } from '../formats/driver.js'
import { IoBuffer } from '../libc/io-buffer.js'
import type { Disk } from './disk.js'
import { Extent } from './extents.js'

/** Bytes that are compared at a time; of larger grains, the part that is written first. */
const PIECE = 1 << 20

/** Bytes after which the image is flushed, so that the last flush is no surprise. */
const FLUSH_AFTER = 256 << 20

const SECTOR = 512

export interface RebaseCopyParts {
  /** The image on its old base. */
  readonly disk: Disk
  /** Of the image. */
  readonly driver: WritableDriver
  /** The new base; null: none. */
  readonly base: Disk | null
  /** What lies behind the end of a base reads as zeros; false: it must not be absent. */
  readonly isZeroBehind: boolean
  /** Extents at the same place of the same file have the same bytes. */
  readonly hasPlaces: boolean
}

/**
 * Copies into an image, from what it stands on, whatever a new base has otherwise, so that it shows the same on both. What
 * lies at the same place of the same file, or is zeros on both sides, is not read; the rest is compared grain by grain.
 */
export class RebaseCopy {
  /** Bytes of the disk that are to be looked at, and that were; 0 before they are counted. */
  total = 0
  done = 0
  /** Bytes that differed and are in the image now, as zeros without storage where it can be. */
  copied = 0
  private readonly mapped = new Mapping()
  private readonly old = new Extent()
  private readonly next = new Extent()
  private readonly mine: IoBuffer
  private readonly theirs: IoBuffer
  private readonly portion: number
  /** The new base counts up to here. */
  private readonly covered: number
  private sinceFlush = 0

  constructor(private readonly parts: RebaseCopyParts) {
    const { base, driver } = parts
    this.portion = driver.grain > PIECE ? driver.grain : roundDown(PIECE, driver.grain)
    this.mine = new IoBuffer(PIECE)
    this.theirs = new IoBuffer(PIECE)
    const size = base?.size ?? 0
    this.covered = parts.isZeroBehind ? size : roundDown(size, SECTOR)
  }

  *run(): Generator<void> {
    yield* this.count()
    const { driver, disk } = this.parts
    for (let at = 0; at < driver.absentEnd; ) {
      const end = this.absentUntil(at)
      if (end === at) {
        at += this.mapped.length
        continue
      }
      while (at < end) {
        const length = this.step(at, end)
        at += length
        this.done += length
        if (this.sinceFlush >= FLUSH_AFTER) {
          this.sinceFlush = 0
          disk.flush()
        }
        yield
      }
    }
  }

  private *count(): Generator<void> {
    for (let at = 0; at < this.parts.driver.absentEnd; at += this.mapped.length) {
      this.total += this.absentUntil(at) - at
      yield
    }
  }

  /** The end of the absent run at `at`; `at` when it is not absent. */
  private absentUntil(at: number): number {
    const { driver } = this.parts
    driver.map(at, driver.absentEnd - at, this.mapped)
    return this.mapped.where === Where.absent ? at + this.mapped.length : at
  }

  /** Deals with some whole grains of the absent range [at, end); returns how many bytes they have. */
  private step(at: number, end: number): number {
    const { disk } = this.parts
    const same = this.knownAsEqual(at, end)
    if (same > 0) return same
    const zeros = this.knownToHide(at, end)
    if (zeros > 0) {
      disk.hideBase(at, zeros)
      this.note(zeros)
      return zeros
    }
    const length = Math.min(this.portion, end - at)
    if (this.portion > PIECE) this.compareGrain(at, length)
    else this.compareGrains(at, length)
    return length
  }

  /** Bytes of whole grains from `at` on that need not be read to know that both sides have the same. */
  private knownAsEqual(at: number, end: number): number {
    let known = at
    while (known < end) {
      const length = this.look(known, end)
      if (!this.isSame(known)) break
      known += length
    }
    return this.wholeGrains(at, known, end)
  }

  /** The same where the old base has zeros, and the new one cannot have them. */
  private knownToHide(at: number, end: number): number {
    let known = at
    while (known < end) {
      const length = this.look(known, end)
      if (!isZero(this.old) || !this.mustHave(known)) break
      known += length
    }
    return this.wholeGrains(at, known, end)
  }

  private wholeGrains(at: number, known: number, end: number): number {
    return known === end ? end - at : roundDown(known - at, this.parts.driver.grain)
  }

  /** Finds the extents of both sides at `at`; returns the length for which they hold. */
  private look(at: number, end: number): number {
    const { base, disk } = this.parts
    disk.nextExtent(at, end - at, this.old)
    if (at >= this.covered) return this.old.length
    base!.nextExtent(at, Math.min(this.old.length, this.covered - at), this.next)
    return this.next.length
  }

  private isSame(at: number): boolean {
    if (this.mustHave(at)) return false
    const { next, old } = this
    if (at >= this.covered || isZero(next)) return isZero(old)
    if (!this.parts.hasPlaces || !old.data || !next.data || old.fileOffset < 0) return false
    return old.path === next.path && old.fileOffset === next.fileOffset
  }

  private mustHave(at: number): boolean {
    return at >= this.covered && !this.parts.isZeroBehind
  }

  private compareGrains(at: number, length: number): void {
    const { grain } = this.parts.driver
    this.read(at, length)
    for (let from = 0; from < length; ) {
      const kind = this.kindOf(at, from, Math.min(from + grain, length))
      let to = Math.min(from + grain, length)
      while (to < length && this.kindOf(at, to, Math.min(to + grain, length)) === kind)
        to = Math.min(to + grain, length)
      if (kind !== 'same') this.keep(at, from, to, kind)
      from = to
    }
  }

  private kindOf(at: number, from: number, to: number): 'same' | 'zeros' | 'data' {
    const mine = this.mine.bytes.subarray(from, to)
    const mustHave = this.mustHave(at + to - 1)
    if (!mustHave && Buffer.compare(mine, this.theirs.bytes.subarray(from, to)) === 0) return 'same'
    return isAllZero(mine) ? 'zeros' : 'data'
  }

  private keep(at: number, from: number, to: number, kind: 'zeros' | 'data'): void {
    const { disk } = this.parts
    if (kind === 'zeros') disk.hideBase(at + from, to - from)
    else disk.write(at + from, to - from, this.mine, from)
    this.note(to - from)
  }

  /** A grain of more than a piece: the first part of it that differs is written, and the rest comes with it. */
  private compareGrain(at: number, length: number): void {
    for (let from = at; from < at + length; from += PIECE) {
      const count = Math.min(PIECE, at + length - from)
      this.read(from, count)
      const isSame =
        !this.mustHave(from + count - 1) &&
        Buffer.compare(this.mine.bytes.subarray(0, count), this.theirs.bytes.subarray(0, count)) === 0
      if (isSame) continue
      this.parts.disk.write(from, count, this.mine, 0)
      this.note(length)
      return
    }
  }

  private read(at: number, length: number): void {
    const { base, disk } = this.parts
    disk.read(at, length, this.mine, 0)
    const count = Math.max(0, Math.min(length, this.covered - at))
    if (count > 0) base!.read(at, count, this.theirs, 0)
    this.theirs.bytes.fill(0, count, length)
  }

  private note(bytes: number): void {
    this.copied += bytes
    this.sinceFlush += bytes
  }
}

function isZero({ data, hole }: Extent): boolean {
  return !data || hole
}

const ZEROS = Buffer.alloc(PIECE)

function isAllZero(bytes: Uint8Array): boolean {
  return ZEROS.compare(bytes, 0, bytes.length, 0, bytes.length) === 0
}
