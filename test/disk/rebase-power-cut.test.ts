import test, { type ExecutionContext } from 'ava'
import { renameBase } from '../../src/disk/backing-name.js'
import { inspectImage } from '../../src/disk/inspect.js'
import { ImageRebase } from '../../src/disk/rebase-image.js'
import { Budget, isLongRun } from '../support/budget.js'
import { CrashStates, randomChoice, systematicChoices } from '../support/crash-states.js'
import { fvdSpec, qedSpec, rawSpec } from '../support/geometries.js'
import type { ImageSpec } from '../support/image-chain.js'
import { addOtherBase, OTHER, OVERLAYS, Overlay } from '../support/overlays.js'
import { type Random, seeded } from '../support/random.js'
import type { Call, SimulatedStorage } from '../support/simulated-storage.js'

/**
 * Power cuts over an image that gets another base. At every point of the record, with several choices of what survived:
 *
 * 1. the image is consistent, names the old base or the new one, and shows what it did before;
 * 2. the same once more ends what was begun.
 */
const KIB = 1024

/** Shorter, as long and longer than the images; null: none. */
const BASES: Record<string, ImageSpec | null> = {
  'a shorter raw': rawSpec(70 * KIB + 512),
  'a raw that ends within a sector': rawSpec(100_001),
  'a longer QED': qedSpec(160 * KIB, 8 * KIB, 1),
  'a compact FVD': fvdSpec(128 * KIB, { chunk: 4 * KIB, journal: 4 * KIB }),
  none: null,
}

/** Names of the bases, as the headers have them. */
interface Names {
  readonly before: string
  readonly after: string
}

const SHORT: Names = { before: 'base1', after: 'other' }

/** Leads where the short name does, and takes several sectors. */
const long = (name: string) => `${'./'.repeat(300)}${name}`

interface Scenario {
  readonly spec: ImageSpec
  readonly base: ImageSpec | null
  readonly names?: Names
  /** The first bytes of the new base tell another format than it has. */
  readonly misleads?: boolean
}

function cutPower(
  { spec, base, names = SHORT, misleads = false }: Scenario,
  random: Random,
  ignore: (number: number) => boolean = () => false,
) {
  const overlay = new Overlay(spec, random.fork(0), 5)
  const { storage, built } = overlay
  if (base !== null) addOtherBase(overlay, base, random.fork(2))
  if (misleads) storage.contents(OTHER).write(0, new TextEncoder().encode('QED\0'))
  const { format } = spec.backing!
  // Behind the header of FVD remains what the last change but one left, and it must not come back.
  const earlier = names.before.replace(/base1$/, 'base2')
  for (const name of names.before === SHORT.before ? [] : [earlier, names.before])
    renameBase(built.path, { name, format }, { host: storage, format: spec.format })
  storage.settle()
  let barriers = 0
  storage.interfere = ({ kind }: Call) => (kind === 'sync' && ignore(barriers++) ? 'ignore' : 'proceed')
  rebase(overlay, storage, base, names)
  const points = new CrashStates(storage)
  const draws = random.fork(1)
  let states = 0
  do {
    for (const choice of [...systematicChoices(points.pending), randomChoice(draws, points.pending)]) {
      states++
      try {
        survive(overlay, points.build(choice), { base, names }, draws.chance(0.3))
      } catch (error) {
        const failure = `${(error as Error).message}\nafter a cut at change ${points.position} of ${storage.record.length}, ${choice.name}`
        return { states, barriers, failure }
      }
    }
  } while (points.advance())
  return { states, barriers, failure: null }
}

function rebase(
  { built, spec }: Overlay,
  host: SimulatedStorage,
  base: ImageSpec | null,
  { after }: Names,
): void {
  const backing = base && { name: after, format: base.format }
  const work = ImageRebase.open(built.path, backing, { host, format: spec.format })
  for (const _ of work.copy());
  work.finish()
}

/** Name and format. */
function baseOf({ built, spec }: Overlay, host: SimulatedStorage): string {
  const { backingName, backingFormat } = inspectImage(built.path, { host, format: spec.format })
  return described(backingName, backingFormat)
}

function described(name: string | null, format: string | null | undefined): string {
  if (name === null) return 'no base'
  return `${name.replace(/(\.\/)+/, '…/')} as ${format === 'raw' ? 'raw' : 'an image'}`
}

function survive(
  overlay: Overlay,
  crashed: SimulatedStorage,
  { base, names }: Required<Pick<Scenario, 'base' | 'names'>>,
  again: boolean,
): void {
  const { format, backing } = overlay.spec
  const old = described(names.before, backing?.format)
  const wanted = described(base && names.after, base?.format)
  const named = baseOf(overlay, crashed)
  if (named !== old && named !== wanted) throw new Error(`the header names ${named}`)
  overlay.mustShowTheSame(crashed)
  // Without a base there is nothing more to do, and FVD has no way back.
  if (!again || (named === 'no base' && format === 'fvd')) return
  rebase(overlay, crashed, base, names)
  overlay.mustShowTheSame(crashed)
  if (baseOf(overlay, crashed) !== wanted) throw new Error('the header does not name the new base')
}

let turn = 0
/** Two for each image, other ones for the next. */
function someBases() {
  const bases = Object.entries(BASES)
  if (isLongRun) return bases
  return [bases[turn++ % bases.length]!, bases[turn++ % bases.length]!]
}

function survives(t: ExecutionContext, scenario: Scenario): boolean {
  const random = seeded(t)
  const budget = new Budget(1)
  let states = 0
  for (let n = 0; budget.next(); n++) {
    const result = cutPower(scenario, random.fork(n))
    states += result.states
    if (result.failure !== null) return t.fail(`run ${n}: ${result.failure}`)
  }
  t.log(`${states} states`)
  return t.true(states > 10)
}

for (const [name, spec] of Object.entries(OVERLAYS)) {
  for (const [other, base] of someBases()) {
    test(`rebase, ${name}, onto ${other}: after a power cut at any point the image shows what it did`, t =>
      survives(t, { spec, base }))
  }
}

/** Name, format and length of the base lie in several sectors of the header of FVD. */
const HEADERS: Record<string, Omit<Scenario, 'spec'>> = {
  'a long name': { base: rawSpec(140 * KIB), names: { before: 'base1', after: long('other') } },
  'a long name, from a long one, with another format': {
    base: BASES['a compact FVD']!,
    names: { before: long('base1'), after: long('./other') },
  },
  'a short name, from a long one, of a shorter base': {
    base: rawSpec(70 * KIB + 512),
    names: { before: long('base1'), after: 'other' },
  },
  'a raw that looks like an image': { base: rawSpec(70 * KIB + 512), misleads: true },
}

for (const [name, spec] of Object.entries(OVERLAYS).filter(([, { format }]) => format === 'fvd')) {
  for (const [what, scenario] of Object.entries(HEADERS)) {
    test(`rebase, ${name}, onto ${what}: after a power cut at any point the image shows what it did`, t =>
      survives(t, { spec, ...scenario }))
  }
}

for (const name of ['QED over raw', 'flat FVD over raw']) {
  test(`the power cuts catch a rebase without its barriers, ${name}`, t => {
    const random = seeded(t)
    const scenario = { spec: OVERLAYS[name]!, base: BASES['a longer QED']! }
    for (let n = 0; n < 5; n++) {
      const { failure } = cutPower(scenario, random.fork(n), () => true)
      if (failure === null) continue
      t.log(failure)
      return t.pass()
    }
    return t.fail('not noticed in 5 runs')
  })
}

/** Barriers of the change of the header, which comes last, from the end. */
const OF_THE_SWITCH: readonly [what: string, fromEnd: number][] = [
  ['behind the sectors of the record', 4],
  ['behind the head of the record', 3],
  ['behind the new sectors', 2],
]

for (const [what, fromEnd] of OF_THE_SWITCH) {
  test(`the power cuts catch a change of the header without the barrier ${what}`, t => {
    const random = seeded(t)
    const scenario = {
      spec: OVERLAYS['flat FVD over raw']!,
      ...HEADERS['a long name, from a long one, with another format']!,
    }
    for (let n = 0; n < 8; n++) {
      const { barriers } = cutPower(scenario, random.fork(n))
      const { failure } = cutPower(scenario, random.fork(n), number => number === barriers - fromEnd)
      if (failure === null) continue
      t.log(failure)
      return t.pass()
    }
    return t.fail('not noticed in 8 runs')
  })
}
