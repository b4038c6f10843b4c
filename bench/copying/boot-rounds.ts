import { existsSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import { profileFileOf } from '../../src/copy/profile-file.js'
import { number } from '../report-table.js'
import { type BootRun, bootTwice } from './boot.js'
import type { CopyingBench } from './copying-bench.js'
import type { Filler, FillerId } from './filler.js'
import { FILLERS } from './fillers.js'
import { replay } from './guest.js'
import { percentile } from './percentile.js'
import { mount, RECORD, rawmountCopyOnRead } from './rawmount-fillers.js'
import type { BootFigures, BootResults, RunFigures } from './results.js'
import { bootTrace, type TraceRead, totalThink, touchedBytes } from './trace.js'

const SEED = 1

/** Every filler boots twice in each round, from an image that is new then. */
export async function bootRounds(
  bench: CopyingBench,
  rounds: number,
  say: (text: string) => void,
): Promise<BootResults> {
  const trace = bootTrace(SEED, bench.base.size)
  await recordProfile(bench, trace)
  const all = new Map<FillerId, (readonly [BootRun, BootRun])[]>(FILLERS.map(({ id }) => [id, []]))
  for (let round = 0; round < rounds; round++) {
    for (const filler of FILLERS) {
      const runs = await bootTwice(bench, filler, trace)
      all.get(filler.id)!.push(runs)
      say(`  ${round + 1}  ${line(filler, ...runs)}`)
    }
  }
  const measured = [...all]
  return {
    reads: trace.length,
    touched: touchedBytes(trace),
    think: totalThink(trace),
    fillers: Object.fromEntries(measured.map(([id, runs]) => [id, boots(runs)])),
    timelines: Object.fromEntries(measured.map(([id, runs]) => [id, usual(runs)])),
  }
}

function boots(runs: readonly (readonly [BootRun, BootRun])[]): BootFigures {
  return {
    first: runs.map(([first]) => figuresOf(first)),
    second: runs.map(([, second]) => figuresOf(second)),
  }
}

/** The round whose first boot took neither longest nor least. */
function usual(runs: readonly (readonly [BootRun, BootRun])[]): readonly [BootRun, BootRun] {
  const sorted = runs.toSorted(([a], [b]) => a.duration - b.duration)
  return sorted[(sorted.length - 1) >> 1]!
}

/** In a run of its own: what others boot with later. */
async function recordProfile(bench: CopyingBench, trace: readonly TraceRead[]): Promise<void> {
  const { images, files } = bench
  const recorder = { ...rawmountCopyOnRead, serve: record }
  const image = await bench.create(recorder)
  const filling = await bench.serve(recorder, image)
  await replay(filling.path, trace, images.fresh('trace'))
  await filling.stop()
  const beside = profileFileOf(image)
  await rename(existsSync(beside) ? beside : image, files.profile)
}

function record(image: string, place: string) {
  return mount(image, place, RECORD)
}

function figuresOf({ reads, growth, ...figures }: BootRun): RunFigures {
  return {
    ...figures,
    p99: percentile(
      reads.map(({ took }) => took),
      0.99,
    ),
  }
}

function line({ label }: Filler, first: BootRun, second: BootRun): string {
  const seconds = (run: BootRun) => `${number(run.duration / 1000)} s, ${number(run.base / 1e6)} MB`
  const complete = first.complete === null ? '' : `; complete after ${number(first.complete / 1000)} s`
  return `${label.padEnd(20)} first byte ${number(first.firstByte)} ms; ${seconds(first)}; again ${seconds(second)}${complete}`
}
