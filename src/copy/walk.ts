import { roundDown, roundUp } from '../bytes.js'
import type { CopyPath } from '../disk/copy-path.js'
import type { ProfileEntry } from '../formats/profile.js'
import type { PrefetchProgress } from './prefetch-progress.js'

/**
 * Which piece is fetched next: what the profile names, in its order, then everything from the start to the end. Pieces
 * are whole grains of what is in the base when the walk comes by. All calls while the caller is alone with `progress`,
 * which has where the walk is, so that several threads go through it together.
 */
export class Walk {
  /** What next() found. */
  offset = 0
  length = 0

  constructor(
    private readonly copies: CopyPath,
    private readonly progress: PrefetchProgress,
    private readonly profile: readonly ProfileEntry[],
  ) {}

  /** A piece of the profile, of about `most` bytes; false at its end. */
  nextOfProfile(most: number): boolean {
    const { copies, profile, progress } = this
    for (; progress.profileEntry < profile.length; progress.profileEntry++, progress.profileOffset = 0) {
      const entry = profile[progress.profileEntry]!
      const start = Math.max(roundDown(entry.offset, copies.grain), progress.profileOffset)
      const end = Math.min(roundUp(entry.offset + entry.length, copies.grain), copies.covered)
      if (!this.find(start, end, most)) continue
      progress.profileOffset = this.offset + this.length
      return true
    }
    return false
  }

  /** A piece of the whole; false when all of it has been walked through. */
  next(most: number): boolean {
    const { copies, progress } = this
    if (!this.find(progress.cursor, copies.covered, most)) {
      progress.cursor = copies.covered
      return false
    }
    progress.cursor = this.offset + this.length
    progress.foundAny = true
    return true
  }

  /** Walks through the whole again. */
  restart(): void {
    this.progress.cursor = 0
    this.progress.foundAny = false
  }

  private find(start: number, end: number, most: number): boolean {
    const { copies } = this
    const at = start < end ? copies.nextAbsent(start, end) : -1
    if (at < 0) return false
    this.offset = at
    this.length = Math.min(copies.absentLength, Math.max(copies.grain, roundDown(most, copies.grain)))
    return true
  }
}
