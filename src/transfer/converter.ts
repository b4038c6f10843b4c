import { roundDown } from '../bytes.js'
import { IoBuffer } from '../libc/io-buffer.js'
import { isEqual } from '../libc/memory.js'
import { type Course, Kind, type Look, PIECE, Piece, Stretch } from './course.js'
import { lookAtBoth, lookAtOne, type Side } from './looks.js'
import type { Runner } from './runner.js'
import { isZero } from './zero-scan.js'

/**
 * What the target shows before anything is written: zeros everywhere; its base, of which only what differs is to be
 * stored; anything, so that every byte is to be written.
 */
export type Ground = 'zeros' | 'base' | 'anything'

/** Zeros are found in blocks of this many bytes, aligned on the disk: what file systems can leave out. */
const BLOCK = 4096

/** Bytes after which the medium gets to work on them: else it would stand still until the end, and then be waited for. */
const FLUSHED_AT_ONCE = 16 << 20

/** Makes the target show what the source shows, piece by piece. One object per thread. */
export class Converter implements Runner {
  readonly phase = 'reading'
  private readonly data = new IoBuffer(PIECE)
  private readonly before = new IoBuffer(PIECE)
  private readonly piece = new Piece()
  private readonly stretch = new Stretch()
  private readonly look: Look
  private written = 0
  private sinceFlush = 0
  private read = 0

  constructor(
    private readonly course: Course,
    private readonly source: Side,
    private readonly target: Side,
    private readonly ground: Ground,
  ) {
    this.look = ground === 'base' ? lookAtBoth(source, target) : lookAtOne(source.disk, ground === 'anything')
  }

  /** Does the next piece; false when none is left. */
  step(): boolean {
    const { course, look, piece, stretch } = this
    if (!course.claim(look, piece)) return false
    const end = piece.offset + piece.length
    if (piece.kind !== Kind.mixed) this.bring(piece.kind, piece.offset, piece.length)
    else {
      for (let at = piece.offset; at < end && !course.isStopped; at += stretch.length) {
        look(at, end - at, stretch)
        this.bring(stretch.kind, at, stretch.length)
      }
    }
    course.count(this.read, this.written)
    course.rest(this.read)
    this.sinceFlush += this.written
    if (this.sinceFlush >= FLUSHED_AT_ONCE) {
      this.target.disk.beginFlush()
      this.sinceFlush = 0
    }
    this.read = this.written = 0
    return true
  }

  private bring(kind: Kind, offset: number, length: number): void {
    if (kind === Kind.skip) return
    if (kind === Kind.zero) {
      this.target.disk.zero(offset, length)
      return
    }
    if (kind === Kind.second) this.data.bytes.fill(0, 0, length)
    else this.fetch(this.source, offset, length, this.data)
    if (this.ground !== 'base') {
      this.store(offset, length, false)
      return
    }
    if (kind === Kind.first) this.before.bytes.fill(0, 0, length)
    else this.fetch(this.target, offset, length, this.before)
    this.store(offset, length, true)
  }

  private fetch({ disk }: Side, offset: number, length: number, buffer: IoBuffer): void {
    disk.read(offset, length, buffer, 0)
    this.read += length
  }

  /** Brings runs of like blocks to the target; with `differing` only blocks that are not there already. */
  private store(offset: number, length: number, differing: boolean): void {
    const { before, data } = this
    let run = Run.none as Run
    let start = 0
    for (let at = 0; at < length; ) {
      const next = Math.min(length, roundDown(offset + at, BLOCK) + BLOCK - offset)
      const isThere = differing && isEqual(data, at, before, at, next - at)
      const kind = isThere ? Run.none : isZero(data, at, next - at) ? Run.zeros : Run.data
      if (kind !== run) {
        this.emit(run, offset, start, at)
        run = kind
        start = at
      }
      at = next
    }
    this.emit(run, offset, start, length)
  }

  private emit(run: Run, offset: number, start: number, end: number): void {
    const { disk } = this.target
    if (run === Run.data) {
      disk.write(offset + start, end - start, this.data, start)
      this.written += end - start
    } else if (run === Run.zeros && this.ground !== 'zeros' && end > start) {
      disk.zero(offset + start, end - start)
    }
  }
}

const Run = { none: 0, data: 1, zeros: 2 } as const
type Run = (typeof Run)[keyof typeof Run]
