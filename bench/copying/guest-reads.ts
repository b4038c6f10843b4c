import { now } from './clock.js'
import type { CopyingBench } from './copying-bench.js'
import type { Filler } from './filler.js'
import { readAtRandom, replay } from './guest.js'
import { percentile } from './percentile.js'

/** Random reads of 4 KiB, one after the other: milliseconds, and what was fetched ahead meanwhile in bytes per second. */
export interface GuestReads {
  readonly p50: number
  readonly p99: number
  readonly count: number
  /** Read of the base in a second, by whomever. */
  readonly baseRate: number
}

export interface GuestRound {
  /** Of what is in the image. */
  readonly image: GuestReads
  /** Of what is still in the base, when the reads begin. */
  readonly base: GuestReads
}

/** Of the disk's start: what is brought into the image before. */
const FILLED = 32 * 2 ** 20

/**
 * Reads of what is in the image, then of what is in the base, through a mount that may be fetching meanwhile. `before`
 * keeps what is read.
 */
export async function guestReads(
  bench: CopyingBench,
  filler: Filler,
  before: Filler,
  { seed, seconds }: { seed: number; seconds: number },
): Promise<GuestRound> {
  const { base } = bench
  const image = await bench.create(filler)
  await fill(bench, before, image)
  await bench.settle()
  const filling = await bench.serve(filler, image)
  const measure = async (from: number, to: number): Promise<GuestReads> => {
    await base.forget()
    const began = now()
    const times = await readAtRandom(filling.path, { seed, from, to, seconds })
    const baseRate = ((await base.bytesRead()) * 1000) / (now() - began)
    return { p50: percentile(times, 0.5), p99: percentile(times, 0.99), count: times.length, baseRate }
  }
  const inImage = await measure(0, FILLED)
  // What is fetched last.
  const inBase = await measure(base.size * 0.75, base.size)
  if (filler.fetches && (await filling.isComplete()))
    throw new Error(`${filler.id}: all was fetched before the reads were done; see --size`)
  await filling.stop()
  await bench.images.remove(image)
  return { image: inImage, base: inBase }
}

async function fill(bench: CopyingBench, filler: Filler, image: string): Promise<void> {
  const reads = Array.from({ length: FILLED / PIECE }, (_, index) => ({
    offset: index * PIECE,
    length: PIECE,
    think: 0,
  }))
  const filling = await bench.serve(filler, image)
  await replay(filling.path, reads, bench.images.fresh('trace'))
  await filling.stop()
}

const PIECE = 256 * 1024
