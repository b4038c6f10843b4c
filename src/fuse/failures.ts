import { errnoOf } from '../errors.js'
import { errno } from '../libc/errno.js'

/** What programs are told every day: that a name is not there, that something is not possible on this file. */
const EVERYDAY: ReadonlySet<number> = new Set([
  errno.ENOENT,
  errno.EPERM,
  errno.EACCES,
  errno.EINVAL,
  errno.EBADF,
  errno.EISDIR,
  errno.ENOTDIR,
  errno.EROFS,
  errno.ENXIO,
  errno.ENOTTY,
  errno.ENOSYS,
  errno.EOPNOTSUPP,
])

/** Lines that may come at once, and milliseconds after which there may be one more. */
const BURST = 5
const PAUSE = 10_000

/**
 * Tells of requests that failed for a reason that somebody must do something about, a full or broken disk say. A guest
 * that goes on trying must not fill the log: what is too much is counted, and told with the next line. One per thread.
 */
export class RequestFailures {
  private room = BURST
  private untold = 0
  private last: number

  /** `now`: milliseconds. */
  constructor(
    private readonly tell: (line: string) => void,
    private readonly now: () => number = Date.now,
  ) {
    this.last = now()
  }

  note(request: string, error: unknown): void {
    if (EVERYDAY.has(errnoOf(error))) return
    const time = this.now()
    const earned = Math.floor((time - this.last) / PAUSE)
    this.room = Math.min(BURST, this.room + earned)
    this.last += earned * PAUSE
    if (this.room === 0) {
      this.untold++
      return
    }
    this.room--
    const more = this.untold === 0 ? '' : ` (${this.untold} more failed before and were not told)`
    this.untold = 0
    this.tell(`${request} failed: ${(error as Error).message}${more}`)
  }
}
