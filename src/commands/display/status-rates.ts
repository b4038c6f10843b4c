import { hasFolders } from '../../mount/outside/read-status.js'
import type { FoldersStatus, MountStatus, Requests } from '../../mount/status/status.js'
import { Pace, secondsLeft } from './progress-pace.js'

/** The status of a mount, and what its counters did since the look before. */
export interface StatusSample {
  readonly status: MountStatus | FoldersStatus
  /** Per second: requests; bytes of the others. */
  readonly rates: {
    readonly requests: number
    readonly read: number
    readonly written: number
    readonly base: number
  }
  /** Until nothing is left in the base; null where nobody can say. */
  readonly secondsLeft: number | null
}

/** Milliseconds: what the last look was ago, so that rates follow at once. */
const SINCE_LAST_LOOK = 1000

/** Makes rates of the counters of one mount, from look to look. */
export class StatusRates {
  private readonly requests = new Pace(SINCE_LAST_LOOK)
  private readonly read = new Pace(SINCE_LAST_LOOK)
  private readonly written = new Pace(SINCE_LAST_LOOK)
  private readonly base = new Pace(SINCE_LAST_LOOK)
  private readonly filled = new Pace()

  /** `time`: milliseconds of a clock that only goes forward. */
  add(time: number, status: MountStatus | FoldersStatus): StatusSample {
    const { bytes } = status
    const base = hasFolders(status) ? null : status.base
    this.requests.add(time, totalRequests(status))
    this.read.add(time, bytes.read)
    this.written.add(time, bytes.written)
    this.base.add(time, base?.read ?? 0)
    const remaining = base?.remaining ?? null
    if (remaining !== null) this.filled.add(time, base!.total - remaining)
    return {
      status,
      rates: {
        requests: this.requests.rate,
        read: this.read.rate,
        written: this.written.rate,
        base: this.base.rate,
      },
      // Reads alone fill an image, too, but nobody knows when they end.
      secondsLeft: isFetching(status) ? secondsLeft(remaining, this.filled.rate) : null,
    }
  }
}

function isFetching(status: MountStatus | FoldersStatus): boolean {
  return !hasFolders(status) && status.prefetch.state === 'running'
}

function totalRequests({ requests: { reads, writes, syncs, others } }: Requests): number {
  return reads + writes + syncs + others
}
