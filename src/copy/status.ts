import { Copying, type CopyingDescription, Sum, storedBytes } from '../disk/copying.js'
import type { CopySettings } from '../formats/copy-settings.js'
import { PrefetchProgress } from './prefetch-progress.js'
import { Throttle } from './throttle.js'

/** What the copying of a mount, or of `rawmount prefetch`, has done so far. Bytes, and bytes per second. */
export interface CopyStatus {
  readonly prefetch: {
    /** "waiting": for its delay to pass; "paused": see `reason`. */
    readonly state: PrefetchState
    /** Why it waits or pauses, for people; null otherwise. */
    readonly reason: string | null
    /** Stored in the image by prefetching, since it was opened. */
    readonly copied: number
    /** Moving averages of what base and image give while they are asked; 0 before the first measurement. */
    readonly readRate: number
    readonly writeRate: number
    /** Pieces fetched. */
    readonly requests: number
  }
  readonly copyOnRead: {
    readonly on: boolean
    /** Stored in the image because someone read it. */
    readonly copied: number
    /** Read and not kept, as there was no room to hold it. */
    readonly skipped: number
    /** Read, and waiting to be stored. */
    readonly queued: number
  }
  readonly base: {
    /** Bytes of the disk that are still in the base; null while they are being counted. */
    readonly remaining: number | null
    /** Bytes of the disk that the base covers. */
    readonly total: number
    /** Read from the base since the open, by anybody; how often, and how often it failed. */
    readonly read: number
    readonly requests: number
    readonly errors: number
  }
}

export type PrefetchState = 'off' | 'waiting' | 'running' | 'paused' | 'done'

/** What a thread needs to tell the status; plain data and SharedArrayBuffers. */
export interface CopyProgressDescription {
  readonly copying: CopyingDescription
  readonly settings: CopySettings
  readonly progress: SharedArrayBuffer
  readonly throttle: SharedArrayBuffer
}

/** As of now; in any thread. */
export function copyStatus({ copying, settings, progress, throttle }: CopyProgressDescription): CopyStatus {
  const { covered, keeps, ring, tally } = new Copying(copying)
  const prefetch = new PrefetchProgress(progress)
  const rates = new Throttle(throttle, settings)
  const counted = tally.get(Sum.counted)
  return {
    prefetch: {
      state: prefetch.state,
      reason: prefetch.reason,
      copied: tally.get(Sum.prefetched),
      readRate: Math.round(rates.readRate),
      writeRate: Math.round(rates.writeRate),
      requests: prefetch.requests,
    },
    copyOnRead: {
      on: keeps,
      copied: tally.get(Sum.kept),
      skipped: tally.get(Sum.skipped),
      queued: ring.queued,
    },
    base: {
      remaining: counted < 0 ? null : Math.max(0, counted - storedBytes(tally)),
      total: covered,
      read: tally.get(Sum.baseRead),
      requests: tally.get(Sum.baseReads),
      errors: tally.get(Sum.baseErrors),
    },
  }
}
