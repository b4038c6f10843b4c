import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { IoBuffer } from '../../src/libc/io-buffer.js'
import { BLOCK } from '../pattern.js'
import { sleep } from '../program.js'
import { now } from './clock.js'
import type { CopyingBench } from './copying-bench.js'
import type { Filler, Filling } from './filler.js'
import { Growth, type GrowthSample } from './growth.js'
import { type ReplayedRead, replay } from './guest.js'
import type { TraceRead } from './trace.js'

/** One start of a system from an image. Milliseconds are since the command that mounts it began. */
export interface BootRun {
  readonly firstByte: number
  readonly reads: readonly ReplayedRead[]
  /** Milliseconds from the begin of the trace's first read to the end of its last. */
  readonly duration: number
  /** Bytes that were read of the base until the trace was done, and until all was done. */
  readonly baseUntilBooted: number
  readonly base: number
  /** When everything was in the image; null where nobody fetches it. */
  readonly complete: number | null
  readonly growth: readonly GrowthSample[]
}

/** Nobody takes longer to fetch a base of the size that is used here. */
const PATIENCE = 120_000

/** Milliseconds between two looks whether all is there, which cost who is looked at something. */
const LOOK = 50

/**
 * A system starts from a new image, and runs on until all is in the image where somebody fetches it; and later it starts
 * once more from the same image.
 */
export async function bootTwice(
  bench: CopyingBench,
  filler: Filler,
  trace: readonly TraceRead[],
): Promise<readonly [BootRun, BootRun]> {
  const image = await bench.create(filler)
  const first = await boot(bench, filler, image, trace)
  const second = await boot(bench, filler, image, trace)
  await bench.images.remove(image)
  return [first, second]
}

async function boot(
  bench: CopyingBench,
  filler: Filler,
  image: string,
  trace: readonly TraceRead[],
): Promise<BootRun> {
  await bench.settle()
  const growth = new Growth(image)
  const began = now()
  const seen = await bootAndGoOn(bench, filler, image, { trace, began }).finally(() => growth.stop())
  return { ...seen, growth: growth.since(began) }
}

async function bootAndGoOn(
  bench: CopyingBench,
  filler: Filler,
  image: string,
  { trace, began }: { trace: readonly TraceRead[]; began: number },
): Promise<Omit<BootRun, 'growth'>> {
  const { base, images } = bench
  const filling = await bench.serve(filler, image)
  await readFirstByte(filling.path)
  const firstByte = now() - began
  const replayed = await replay(filling.path, trace, images.fresh('trace'))
  const baseUntilBooted = await base.bytesRead()
  const complete = filler.fetches ? (await waitUntilComplete(filling, filler.id)) - began : null
  await filling.stop()
  const last = replayed.at(-1)!
  return {
    firstByte,
    reads: replayed.map(({ at, took }) => ({ at: hundredths(at - began), took: hundredths(took) })),
    duration: last.at + last.took - replayed[0]!.at,
    baseUntilBooted,
    base: await base.bytesRead(),
    complete,
  }
}

/** More digits would only make the file of results longer. */
function hundredths(milliseconds: number): number {
  return Math.round(milliseconds * 100) / 100
}

async function readFirstByte(path: string): Promise<void> {
  const file = await open(path, constants.O_RDONLY | constants.O_DIRECT)
  const { bytesRead } = await file.read(new IoBuffer(BLOCK).bytes, 0, BLOCK, 0)
  await file.close()
  if (bytesRead !== BLOCK) throw new Error(`${path}: ${bytesRead} bytes at its start`)
}

/** Returns when it was, by clock.ts. */
export async function waitUntilComplete(filling: Filling, who: string): Promise<number> {
  for (const deadline = now() + PATIENCE; !(await filling.isComplete()); await sleep(LOOK)) {
    if (now() > deadline) throw new Error(`${who}: not everything is in the image after ${PATIENCE / 1000} s`)
  }
  return now()
}
