import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { run } from '../program.js'
import type { TraceRead } from './trace.js'

/** Who reads the disk: processes of their own, as they block until the bytes are there. */

/** A read of a replayed trace: when it began, by clock.ts, and the milliseconds that it took. */
export interface ReplayedRead {
  readonly at: number
  readonly took: number
}

/** Makes the reads of a trace, one after the other. `scratch`: a path for the trace. */
export async function replay(
  disk: string,
  reads: readonly TraceRead[],
  scratch: string,
): Promise<ReplayedRead[]> {
  await writeFile(scratch, JSON.stringify(reads))
  return JSON.parse(await program('replay-main.js', disk, scratch)) as ReplayedRead[]
}

/** Reads blocks of 4 KiB at random in [from, to) for so many seconds; returns the milliseconds of each. */
export async function readAtRandom(
  disk: string,
  { seed, from, to, seconds }: { seed: number; from: number; to: number; seconds: number },
): Promise<number[]> {
  return JSON.parse(await program('random-reads-main.js', disk, seed, from, to, seconds)) as number[]
}

function program(name: string, ...args: (string | number)[]): Promise<string> {
  return run(process.execPath, [fileURLToPath(new URL(name, import.meta.url)), ...args.map(String)])
}
