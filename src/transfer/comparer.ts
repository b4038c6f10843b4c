import { IoBuffer } from '../libc/io-buffer.js'
import { type Course, Kind, type Look, PIECE, Piece, Stretch } from './course.js'
import { lookAtBoth, type Side } from './looks.js'
import type { Phase, Runner } from './runner.js'
import { firstDifference, firstNonZero } from './zero-scan.js'

/** Looks for the first byte in which two disks differ: the course then ends there. One object per thread. */
export class Comparer implements Runner {
  private readonly one = new IoBuffer(PIECE)
  private readonly other = new IoBuffer(PIECE)
  private readonly piece = new Piece()
  private readonly stretch = new Stretch()
  private readonly look: Look
  /** What is being done; for who gets the error. */
  phase: Phase = 'mapping'

  constructor(
    private readonly course: Course,
    private readonly first: Side,
    private readonly second: Side,
  ) {
    this.look = lookAtBoth(first, second)
  }

  /** Does the next piece; false when none is left. */
  step(): boolean {
    const { course, look, piece, stretch } = this
    if (!this.claim()) return false
    const end = piece.offset + piece.length
    let found = -1
    if (piece.kind !== Kind.mixed) found = this.compare(piece.kind, piece.offset, piece.length)
    else {
      for (let at = piece.offset; at < end && found < 0 && !course.isStopped; at += stretch.length) {
        this.phase = 'mapping'
        look(at, end - at, stretch)
        found = this.compare(stretch.kind, at, stretch.length)
      }
    }
    if (found >= 0) course.endAt(found)
    return true
  }

  private claim(): boolean {
    this.phase = 'mapping'
    return this.course.claim(this.look, this.piece)
  }

  /** Where on the disk the first difference is; -1 when there is none. */
  private compare(kind: Kind, offset: number, length: number): number {
    if (kind === Kind.skip) return -1
    const { first, second, one, other } = this
    this.phase = 'reading'
    if (kind !== Kind.second) first.disk.read(offset, length, one, 0)
    if (kind !== Kind.first) second.disk.read(offset, length, other, 0)
    this.course.count(kind === Kind.both ? 2 * length : length, 0)
    const found =
      kind === Kind.both
        ? firstDifference(one, other, length)
        : firstNonZero(kind === Kind.first ? one : other, 0, length)
    return found < 0 ? -1 : offset + found
  }
}
