import type { ContestId, ToolId } from './contests.js'

/** Seconds from the start of a command to its end, by contest and tool, in the order of the rounds. */
export type Seconds = Readonly<Partial<Record<ContestId, Readonly<Record<ToolId, readonly number[]>>>>>

/** What a run found out about the commands that go through whole disks, as it is written to JSON. */
export interface ToolboxResults {
  readonly rounds: number
  /** Of the disk, half of which is data; bytes. */
  readonly size: number
  /** Files on the machine's disk; null when it was not measured. */
  readonly disk: Seconds | null
  /** Files in memory (tmpfs), where nobody waits for a disk. */
  readonly memory: Seconds | null
  /** Null when it was not measured. */
  readonly many: ManyImages | null
}

/** Many images in one mount, a figure for each round. */
export interface ManyImages {
  readonly count: number
  /** Until the command that mounts them returns. */
  readonly seconds: readonly number[]
  /** Resident memory of the daemon when each has been read and written. */
  readonly mebibytes: readonly number[]
}
