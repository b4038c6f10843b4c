import type { BootRun } from './boot.js'
import type { FillerId } from './filler.js'
import type { GuestRound } from './guest-reads.js'
import type { Speed } from './speed.js'
import type { MoverId } from './throughput.js'

/** What a run found out about copying, as it is written to JSON. Parts that were not measured are null. */
export interface CopyingResults {
  readonly rounds: number
  /** Of the base of the parts with a slow one, and of the base that is moved: bytes. */
  readonly size: number
  readonly movedSize: number
  readonly speed: Speed
  readonly boot: BootResults | null
  readonly guest: Readonly<Partial<Record<FillerId, readonly GuestRound[]>>> | null
  readonly throughput: Readonly<Record<MoverId, readonly number[]>> | null
  /** By limit; all in bytes per second. */
  readonly rates: readonly { readonly limit: number; readonly measured: readonly number[] }[] | null
}

export interface BootResults {
  readonly reads: number
  /** Of the disk, bytes. */
  readonly touched: number
  /** Milliseconds in all. */
  readonly think: number
  readonly fillers: Readonly<Partial<Record<FillerId, BootFigures>>>
  /** The usual round of each, with all of its reads. */
  readonly timelines: Readonly<Partial<Record<FillerId, readonly [BootRun, BootRun]>>>
}

/** Of the rounds, in their order. */
export interface BootFigures {
  readonly first: readonly RunFigures[]
  readonly second: readonly RunFigures[]
}

/** A BootRun without its single reads; milliseconds, bytes. */
export interface RunFigures {
  readonly firstByte: number
  readonly duration: number
  readonly p99: number
  readonly baseUntilBooted: number
  readonly base: number
  readonly complete: number | null
}
