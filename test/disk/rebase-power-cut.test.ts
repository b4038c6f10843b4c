import test from 'ava'
import { inspectImage } from '../../src/disk/inspect.js'
import { ImageRebase } from '../../src/disk/rebase-image.js'
import { Budget, isLongRun } from '../support/budget.js'
import { CrashStates, randomChoice, systematicChoices } from '../support/crash-states.js'
import { fvdSpec, qedSpec, rawSpec } from '../support/geometries.js'
import type { ImageSpec } from '../support/image-chain.js'
import { addOtherBase, OVERLAYS, Overlay } from '../support/overlays.js'
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

function cutPower(
  spec: ImageSpec,
  base: ImageSpec | null,
  random: Random,
  ignore: (number: number) => boolean = () => false,
) {
  const overlay = new Overlay(spec, random.fork(0), 5)
  const { storage } = overlay
  if (base !== null) addOtherBase(overlay, base, random.fork(2))
  let barriers = 0
  storage.interfere = ({ kind }: Call) => (kind === 'sync' && ignore(barriers++) ? 'ignore' : 'proceed')
  rebase(overlay, storage, base)
  const points = new CrashStates(storage)
  const draws = random.fork(1)
  let states = 0
  do {
    for (const choice of [...systematicChoices(points.pending), randomChoice(draws, points.pending)]) {
      states++
      try {
        survive(overlay, points.build(choice), base, draws.chance(0.3))
      } catch (error) {
        const failure = `${(error as Error).message}\nafter a cut at change ${points.position} of ${storage.record.length}, ${choice.name}`
        return { states, failure }
      }
    }
  } while (points.advance())
  return { states, failure: null }
}

function rebase({ built, spec }: Overlay, host: SimulatedStorage, base: ImageSpec | null): void {
  const backing = base && { name: 'other', format: base.format }
  const work = ImageRebase.open(built.path, backing, { host, format: spec.format })
  for (const _ of work.copy());
  work.finish()
}

function baseOf({ built, spec }: Overlay, host: SimulatedStorage): string | null {
  return inspectImage(built.path, { host, format: spec.format }).backingName
}

function survive(overlay: Overlay, crashed: SimulatedStorage, base: ImageSpec | null, again: boolean): void {
  const wanted = base && 'other'
  const named = baseOf(overlay, crashed)
  if (named !== 'base1' && named !== wanted) throw new Error(`the header names ${named}`)
  overlay.mustShowTheSame(crashed)
  // Without a base there is nothing more to do, and FVD has no way back.
  if (!again || (named === null && overlay.spec.format === 'fvd')) return
  rebase(overlay, crashed, base)
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

for (const [name, spec] of Object.entries(OVERLAYS)) {
  for (const [other, base] of someBases()) {
    test(`rebase, ${name}, onto ${other}: after a power cut at any point the image shows what it did`, t => {
      const random = seeded(t)
      const budget = new Budget(1)
      let states = 0
      for (let n = 0; budget.next(); n++) {
        const result = cutPower(spec, base, random.fork(n))
        states += result.states
        if (result.failure !== null) return t.fail(`run ${n}: ${result.failure}`)
      }
      t.log(`${states} states`)
      return t.true(states > 10)
    })
  }
}

for (const name of ['QED over raw', 'flat FVD over raw']) {
  test(`the power cuts catch a rebase without its barriers, ${name}`, t => {
    const random = seeded(t)
    for (let n = 0; n < 5; n++) {
      const { failure } = cutPower(OVERLAYS[name]!, BASES['a longer QED']!, random.fork(n), () => true)
      if (failure === null) continue
      t.log(failure)
      return t.pass()
    }
    return t.fail('not noticed in 5 runs')
  })
}
