import test from 'ava'
import { Budget } from '../support/budget.js'
import { type CrashChoice, CrashStates, randomChoice, systematicChoices } from '../support/crash-states.js'
import { must } from '../support/exercise.js'
import type { ImageSpec } from '../support/image-chain.js'
import type { ModelDisk } from '../support/model-disk.js'
import { describeOperation, drawOperation, type Mixture } from '../support/operations.js'
import { type Random, seeded } from '../support/random.js'
import { type Call, SimulatedStorage } from '../support/simulated-storage.js'
import { CACHES, Cache, writing } from '../support/write-base.js'

/**
 * Power cuts over the files of an image and of the base that it is a cache of. At every point of the record of a random
 * workload, with several choices of what survived:
 *
 * 1. writethrough: the base by itself shows, sector by sector, what was last flushed or something written later;
 *    writeback: the same as of the last push, in which the state of one instant went to the base;
 * 2. so does the image, opened again in the mode;
 * 3. and then, closed or not, base and image are equal.
 */
const MODES = ['writethrough', 'writeback'] as const
type Mode = (typeof MODES)[number]

/** "copy": a push. */
const WORKLOAD: Mixture = { write: 10, zero: 3, flush: 4, reopen: 1, copy: 2 }
const OPERATIONS = 20

interface Moment {
  readonly from: number
  readonly image: ModelDisk
  readonly base: ModelDisk
  readonly doing: string
}

interface Broken {
  /** True for a barrier of this path to be ignored. */
  readonly ignore?: (path: string) => boolean
}

for (const mode of MODES) {
  for (const [name, spec] of Object.entries(CACHES)) {
    test(`${mode}, ${name}: after a power cut at any point image and base have what the mode promises`, t => {
      const random = seeded(t)
      const budget = new Budget(1)
      for (let n = 0; budget.next(); n++) {
        const failure = cutPower(spec, mode, random.fork(n))
        if (failure !== null) return t.fail(`run ${n}: ${failure}`)
      }
      return t.pass()
    })
  }
}

const SABOTAGE: Record<string, { mode: Mode; broken: Broken }> = {
  'writethrough without the barriers of the base': {
    mode: 'writethrough',
    broken: { ignore: path => path.endsWith('base1') },
  },
  'writeback without the barriers of the base': {
    mode: 'writeback',
    broken: { ignore: path => path.endsWith('base1') },
  },
  'writethrough without the barriers of the image': {
    mode: 'writethrough',
    broken: { ignore: path => path.endsWith('image') },
  },
}

for (const [name, { mode, broken }] of Object.entries(SABOTAGE)) {
  test(`the power cuts catch ${name}`, t => {
    const random = seeded(t)
    for (let n = 0; n < 5; n++) {
      const failure = cutPower(CACHES['QED over raw']!, mode, random.fork(n), broken)
      if (failure === null) continue
      t.log(failure.split('\n')[0])
      return t.pass()
    }
    return t.fail('not noticed in 5 runs')
  })
}

function cutPower(spec: ImageSpec, mode: Mode, random: Random, broken: Broken = {}): string | null {
  const storage = new SimulatedStorage()
  const cache = new Cache(storage, spec, random.fork(0))
  const moments = work(storage, cache, mode, random.fork(1), broken)
  const draws = random.fork(2)
  const points = new CrashStates(storage)
  do {
    const moment = moments.findLast(({ from }) => from <= points.position)!
    const choices = [...systematicChoices(points.pending), randomChoice(draws, points.pending)]
    for (const choice of choices) {
      try {
        survive(points, choice, cache, mode, moment, draws.chance(0.5))
      } catch (error) {
        return `${(error as Error).message}\nafter a cut at change ${points.position} (last: ${moment.doing}), ${choice.name}`
      }
    }
  } while (points.advance())
  return null
}

function work(
  storage: SimulatedStorage,
  cache: Cache,
  mode: Mode,
  random: Random,
  { ignore }: Broken,
): Moment[] {
  const { built, model: image } = cache
  // What the base shows: with writeback something else.
  const base = image.clone()
  storage.settle()
  storage.interfere = ({ kind, path }: Call) => (kind === 'sync' && ignore?.(path) ? 'ignore' : 'proceed')
  const moments: Moment[] = [{ from: 0, image: image.clone(), base: base.clone(), doing: 'open' }]
  let disk = cache.open(storage, writing(mode))
  for (let version = 1; version <= OPERATIONS; version++) {
    const operation = drawOperation(random, built.windows, built.spec.unit, WORKLOAD)
    const start = storage.record.length
    let promised = true
    if ('offset' in operation) {
      const { kind, offset, length } = operation
      promised = false
      if (kind === 'write') {
        base.write(offset, length, version)
        disk.write(offset, image.write(offset, length, version))
      } else {
        base.zero(offset, length)
        image.zero(offset, length)
        disk.zero(offset, length)
      }
    } else if (operation.kind === 'reopen') {
      disk.close()
    } else {
      disk.flush()
      if (operation.kind === 'copy') disk.image.disk.baseWriter!.push()
    }
    if (promised) {
      image.flush()
      if (mode === 'writethrough' || operation.kind !== 'flush') base.flush()
    }
    const from = promised ? storage.record.length : start
    moments.push({ from, image: image.clone(), base: base.clone(), doing: describeOperation(operation) })
    if (operation.kind === 'reopen') disk = cache.open(storage, writing(mode))
  }
  disk.close()
  return moments
}

function survive(
  points: CrashStates,
  choice: CrashChoice,
  cache: Cache,
  mode: Mode,
  moment: Moment,
  closes: boolean,
): void {
  const crashed = points.build(choice)
  cache.mustBeInBase(crashed, moment.base)
  cache.repair(crashed)
  const disk = cache.open(crashed, writing(mode))
  const image = moment.image.clone()
  cache.adopt(disk, image)
  image.flush()
  if (closes) disk.close()
  else disk.drop()
  cache.mustBeInBase(crashed, image)
  const again = cache.open(crashed, writing('no'))
  must(image.compare(again.read(0, again.size), 0))
  again.drop()
}
