import { join } from 'node:path'
import { Cleanup } from '../cleanup.js'
import type { Images } from '../images.js'
import { Interrupted } from '../program.js'
import { number } from '../report-table.js'
import { bootRounds } from './boot-rounds.js'
import { CopyingBench } from './copying-bench.js'
import type { Filler, FillerId } from './filler.js'
import { type GuestRound, guestReads } from './guest-reads.js'
import { qemuCopyOnRead, qemuStream } from './qemu-fillers.js'
import { LIMITS, measuredRate } from './rate.js'
import { rawmountCopyOnRead, rawmountPrefetch } from './rawmount-fillers.js'
import type { CopyingResults } from './results.js'
import { SlowBase } from './slow-base.js'
import { SLOW } from './speed.js'
import { MOVER_IDS, MOVERS, type MoverId, moveAll } from './throughput.js'

/** For --only and --list. */
export const COPYING_NAMES = ['copying-boot', 'copying-guest', 'copying-throughput', 'copying-rate'] as const
type Name = (typeof COPYING_NAMES)[number]

/** More teach nothing, and each takes a minute. */
const MOST_ROUNDS = 3

/** Of one measurement of random reads. */
const GUEST_SECONDS = 1.5

export interface CopyingOptions {
  readonly rounds: number
  readonly only: RegExp
  say(text: string): void
  /** A part that fails is told, and left out. */
  failed(name: string, error: Error): void
}

/** Measures the parts that `only` names; null when it names none. Everything is taken down by `cleanup` at the latest. */
export async function measureCopying(
  images: Images,
  cleanup: Cleanup,
  { rounds: wanted, only, say, failed }: CopyingOptions,
): Promise<CopyingResults | null> {
  if (!COPYING_NAMES.some(name => only.test(name))) return null
  const rounds = Math.min(wanted, MOST_ROUNDS)
  const size = images.size / 2
  const base = await SlowBase.make(
    images.directory,
    { template: images.template, size, speed: SLOW },
    cleanup,
  )
  const files = { profile: join(images.directory, 'boot.profile') }

  const part = async <Result>(
    name: Name,
    measure: (bench: CopyingBench) => Promise<Result>,
  ): Promise<Result | null> => {
    if (!only.test(name)) return null
    say(`\n${name}`)
    // Of its own: a mount that a failure leaves behind would go on fetching beside the next part.
    const mounts = new Cleanup()
    const unmountAll = cleanup.add(async () => {
      for (const error of await mounts.run()) failed(name, error)
    })
    try {
      await base.set(SLOW)
      return await measure(new CopyingBench(images, base, files, mounts))
    } catch (error) {
      if (error instanceof Interrupted) throw error
      failed(name, error as Error)
      return null
    } finally {
      await unmountAll()
    }
  }
  return {
    rounds,
    size,
    movedSize: images.size,
    speed: SLOW,
    boot: await part('copying-boot', bench => bootRounds(bench, rounds, say)),
    guest: await part('copying-guest', bench => guestRounds(bench, rounds, say)),
    throughput: await part('copying-throughput', bench => throughputRounds(bench, rounds, say)),
    rates: await part('copying-rate', bench => rateRounds(bench, rounds, say)),
  }
}

type Say = (text: string) => void

/** Each with its like that fetches nothing, which has also filled the image that both begin with. */
const GUESTS: readonly (readonly [Filler, Filler])[] = [
  [rawmountCopyOnRead, rawmountCopyOnRead],
  [rawmountPrefetch, rawmountCopyOnRead],
  [qemuCopyOnRead, qemuCopyOnRead],
  [qemuStream, qemuCopyOnRead],
]

async function guestRounds(bench: CopyingBench, rounds: number, say: Say) {
  const all: Partial<Record<FillerId, GuestRound[]>> = {}
  for (let round = 0; round < rounds; round++) {
    for (const [filler, before] of GUESTS) {
      const found = await guestReads(bench, filler, before, { seed: round + 1, seconds: GUEST_SECONDS })
      all[filler.id] = [...(all[filler.id] ?? []), found]
      const { image, base } = found
      say(
        `  ${round + 1}  ${filler.label.padEnd(20)} in the image: p50 ${number(image.p50)} ms, p99 ${number(image.p99)} ms, ${number(image.baseRate / 1e6)} MB/s fetched; in the base: p50 ${number(base.p50)} ms, p99 ${number(base.p99)} ms, ${number(base.baseRate / 1e6)} MB/s`,
      )
    }
  }
  return all
}

async function throughputRounds(bench: CopyingBench, rounds: number, say: Say) {
  const all: Record<MoverId, number[]> = { cp: [], prefetch: [], 'qemu-stream': [] }
  for (let round = 0; round < rounds; round++) {
    for (const id of MOVER_IDS) {
      const rate = await moveAll(bench, id)
      all[id].push(rate)
      say(`  ${round + 1}  ${MOVERS[id].label.padEnd(20)} ${number(rate / 1e6)} MB/s`)
    }
  }
  return all
}

async function rateRounds(bench: CopyingBench, rounds: number, say: Say) {
  const all = LIMITS.map(limit => ({ limit, measured: [] as number[] }))
  for (let round = 0; round < rounds; round++) {
    for (const { limit, measured } of all) {
      const rate = await measuredRate(bench, limit)
      measured.push(rate)
      say(`  ${round + 1}  at most ${number(limit / 1e6)} MB/s: ${number(rate / 1e6)} MB/s`)
    }
  }
  return all
}
