import test from 'ava'
import { Budget, isLongRun } from '../support/budget.js'
import { CrashStates, randomChoice, singleChoices, systematicChoices } from '../support/crash-states.js'
import { fvdSpec, qedSpec, rawSpec } from '../support/geometries.js'
import {
  type BuiltImage,
  buildImage,
  describeSpec,
  type ImageSpec,
  openBuilt,
} from '../support/image-chain.js'
import { type Random, seeded } from '../support/random.js'
import { mustShow, resizeBuilt, resized, work } from '../support/resizing.js'
import { SimulatedStorage } from '../support/simulated-storage.js'

/**
 * Power cuts in the middle of a change of size. In every state of the files that one can leave, the image
 *
 * 1. has the old size or the new one, is sound, leaks apart, and shows what it showed up to there;
 * 2. can be given the new size, and shows what it would have shown without the cut;
 * 3. can be made larger again, and shows zeros there: nothing of what was cut off comes back.
 */
const KIB = 1024
const MIB = 1024 * KIB

/** Sizes one after the other; the cut is in the last change. */
interface Scenario {
  readonly spec: ImageSpec
  readonly sizes: readonly number[]
}

const overRaw = (size: number, base: number) => qedSpec(size, 4 * KIB, 1, { backing: rawSpec(base) })

const SCENARIOS: Record<string, Scenario> = {
  'raw grows': { spec: rawSpec(64 * KIB), sizes: [96 * KIB] },
  'raw shrinks': { spec: rawSpec(64 * KIB), sizes: [20 * KIB + 1] },
  'QED grows': { spec: qedSpec(160 * KIB + 512, 4 * KIB, 1), sizes: [300 * KIB] },
  'QED shrinks and closes gaps': { spec: qedSpec(5 * MIB, 4 * KIB, 2), sizes: [300 * KIB + 512] },
  'QED over a longer base grows': { spec: overRaw(60 * KIB + 512, 160 * KIB), sizes: [128 * KIB + 512] },
  'QED over an equal base shrinks': { spec: overRaw(160 * KIB, 160 * KIB), sizes: [61 * KIB] },
  'QED over an equal base shrinks and grows again': {
    spec: overRaw(160 * KIB, 160 * KIB),
    sizes: [61 * KIB, 150 * KIB],
  },
  'flat FVD grows': { spec: fvdSpec(100 * KIB, {}), sizes: [160 * KIB + 512] },
  'flat FVD shrinks': { spec: fvdSpec(160 * KIB, {}), sizes: [61 * KIB] },
  'flat FVD over a base shrinks': {
    spec: fvdSpec(128 * KIB, { block: 1536, journal: 8 * KIB }, rawSpec(128 * KIB)),
    sizes: [50 * KIB + 512],
  },
  'compact FVD grows in its table': {
    spec: fvdSpec(160 * KIB + 512, { chunk: 8 * KIB, journal: 4 * KIB }),
    sizes: [70 * KIB, 256 * KIB],
  },
  'compact FVD grows into its journal': {
    spec: fvdSpec(100 * KIB, { chunk: 4 * KIB, journal: 2 * MIB }),
    sizes: [5 * MIB],
  },
  'compact FVD grows into its data': {
    spec: fvdSpec(100 * KIB + 512, { block: 7680, chunk: 4 * KIB, journal: 8 * KIB }, rawSpec(90 * KIB)),
    sizes: [9 * MIB],
  },
  'compact FVD with a data file grows a new table': {
    spec: fvdSpec(100 * KIB, { chunk: 4 * KIB, dataFile: true, journal: 4 * KIB }),
    sizes: [5 * MIB],
  },
  'compact FVD over a base shrinks': {
    spec: fvdSpec(256 * KIB, { block: 7680, chunk: 4 * KIB, journal: 8 * KIB }, rawSpec(200 * KIB + 512)),
    sizes: [99 * KIB],
  },
}

for (const [name, scenario] of Object.entries(SCENARIOS)) {
  test(`${name}: a power cut at any point leaves the old size or the new one, and the same contents`, t => {
    const random = seeded(t)
    const budget = new Budget(1)
    let states = 0
    for (let n = 0; budget.next(); n++) {
      const result = cutPower(scenario, n === 0 ? random : random.fork(n))
      states += result.states
      if (result.failure !== null) return t.fail(result.failure)
    }
    t.log(`${states} states`)
    return t.true(states > 3)
  })
}

/** Barriers by their numbers within the change. */
const NEEDED: readonly [name: keyof typeof SCENARIOS, first: number, last: number][] = [
  ['QED over a longer base grows', 0, 2],
  ['QED shrinks and closes gaps', 1, 1],
  ['flat FVD shrinks', 1, 1],
  ['flat FVD over a base shrinks', 6, 6],
  ['compact FVD grows into its data', 5, 5],
  ['compact FVD grows into its data', 6, 6],
  ['compact FVD with a data file grows a new table', 7, 7],
  ['compact FVD over a base shrinks', 6, 6],
]

for (const [name, first, last] of NEEDED) {
  test(`${name}: without the barriers ${first} to ${last} a power cut does harm, which these tests see`, t => {
    const random = seeded(t)
    const ignores = (number: number) => number >= first && number <= last
    for (let n = 0; n < 8; n++) {
      const { failure } = cutPower(SCENARIOS[name]!, random.fork(n), ignores)
      if (failure === null) continue
      t.log(failure.split('\n')[0])
      return t.pass()
    }
    return t.fail('not noticed')
  })
}

function cutPower(
  { spec, sizes }: Scenario,
  random: Random,
  ignores: (barrier: number) => boolean = () => false,
): { states: number; failure: string | null } {
  const storage = new SimulatedStorage()
  let before = buildImage(storage, spec, random.fork(0))
  for (const size of sizes.slice(0, -1)) {
    work(storage, before, random, 12, 1)
    resizeBuilt(storage, before, size)
    before = resized(before, size, random)
  }
  work(storage, before, random, 24, 101)
  const size = sizes.at(-1)!
  const after = resized(before, size, random)
  storage.settle()
  let barriers = 0
  storage.interfere = ({ kind }) => (kind === 'sync' && ignores(barriers++) ? 'ignore' : 'proceed')
  resizeBuilt(storage, before, size)

  const points = new CrashStates(storage)
  let states = 0
  do {
    const { pending } = points
    const choices = [...systematicChoices(pending)]
    const single = singleChoices(pending)
    if (isLongRun) choices.push(...single)
    else if (single.length > 0) choices.push(random.pick(single), random.pick(single))
    if (pending.length > 0) for (let n = 0; n < 3; n++) choices.push(randomChoice(random, pending))
    for (const choice of choices) {
      states++
      try {
        survive(points.build(choice), before, after, random)
      } catch (error) {
        const what = `${(error as Error).message}\nafter a cut at change ${points.position}, ${choice.name}`
        return { states, failure: `${what}, of ${describeSpec(spec)}, seed ${random.seed}` }
      }
    }
  } while (points.advance())
  return { states, failure: null }
}

function survive(crashed: SimulatedStorage, before: BuiltImage, after: BuiltImage, random: Random): void {
  const disk = openBuilt(crashed, before, false)
  const { size } = disk
  disk.close()
  // The simulated file system may stop on the way to a new length, which for raw is a size like any other.
  const isBetween = before.spec.format === 'raw' && size > before.model.size && size < after.model.size
  const found = size === after.model.size ? after : isBetween ? resized(before, size, random) : before
  if (size !== found.model.size) throw new Error(`has ${size} bytes`)
  // Half of the time the next change of size is the first to open it for writing.
  if (random.chance(0.5)) mustShow(crashed, found, true)
  resizeBuilt(crashed, found, after.model.size)
  mustShow(crashed, after, true)
  const largest = Math.max(before.model.size, after.model.size) + 64 * KIB
  resizeBuilt(crashed, after, largest)
  mustShow(crashed, resized(after, largest, random), true)
}
