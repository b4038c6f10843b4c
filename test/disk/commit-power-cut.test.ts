import test from 'ava'
import { ImageCommit } from '../../src/disk/commit-image.js'
import { Budget } from '../support/budget.js'
import { CrashStates, randomChoice, systematicChoices } from '../support/crash-states.js'
import { qedSpec, rawSpec } from '../support/geometries.js'
import type { ImageSpec } from '../support/image-chain.js'
import { OVERLAYS, Overlay } from '../support/overlays.js'
import { type Random, seeded } from '../support/random.js'
import type { Call, SimulatedStorage } from '../support/simulated-storage.js'

const KIB = 1024

/**
 * Power cuts over the files of an image that is committed, and of its base. At every point of the record, with several
 * choices of what survived:
 *
 * 1. both are consistent, and show together what they did before;
 * 2. a second commit ends what the first has begun: the base by itself shows the same, and the image is empty.
 */
function cutPower(spec: ImageSpec, random: Random, ignore: (path: string) => boolean = () => false) {
  const overlay = new Overlay(spec, random.fork(0))
  const { storage } = overlay
  storage.interfere = ({ kind, path }: Call) => (kind === 'sync' && ignore(path) ? 'ignore' : 'proceed')
  commit(overlay, storage)
  const points = new CrashStates(storage)
  const draws = random.fork(1)
  let states = 0
  do {
    for (const choice of [...systematicChoices(points.pending), randomChoice(draws, points.pending)]) {
      states++
      try {
        survive(overlay, points.build(choice), draws.chance(0.3))
      } catch (error) {
        const failure = `${(error as Error).message}\nafter a cut at change ${points.position} of ${storage.record.length}, ${choice.name}`
        return { states, failure }
      }
    }
  } while (points.advance())
  return { states, failure: null }
}

function commit({ built, spec }: Overlay, host: SimulatedStorage): void {
  const work = ImageCommit.open(built.path, { host, format: spec.format })
  for (const _ of work.copy());
  work.finish()
}

function survive(overlay: Overlay, crashed: SimulatedStorage, again: boolean): void {
  overlay.mustShowTheSame(crashed)
  if (!again) return
  commit(overlay, crashed)
  overlay.mustShowTheSame(crashed, { mayLeak: false })
  overlay.mustBeInBase(crashed)
  if (overlay.presentBytes(crashed) > 0) throw new Error('the image is not empty')
}

const SPECS: Record<string, ImageSpec> = {
  ...OVERLAYS,
  'QED over a smaller QED over raw': qedSpec(100 * KIB, 4 * KIB, 1, {
    backing: qedSpec(60 * KIB, 8 * KIB, 1, { backing: rawSpec(90 * KIB) }),
  }),
}

for (const [name, spec] of Object.entries(SPECS)) {
  test(`commit, ${name}: after a power cut at any point image and base show together what they did`, t => {
    const random = seeded(t)
    const budget = new Budget(1)
    let states = 0
    for (let n = 0; budget.next(); n++) {
      const result = cutPower(spec, random.fork(n))
      states += result.states
      if (result.failure !== null) return t.fail(`run ${n}: ${result.failure}`)
    }
    t.log(`${states} states`)
    return t.true(states > 20)
  })
}

const SABOTAGE: Record<string, { of: string; ignore: (path: string) => boolean }> = {
  'a base that is not flushed before a QED image is emptied': {
    of: 'QED over raw',
    ignore: path => path.endsWith('base1'),
  },
  'a QED image whose clusters are cut off before its tables are empty': {
    of: 'QED over raw',
    ignore: path => path.endsWith('image'),
  },
  'a base that is not flushed before an FVD image is emptied': {
    of: 'flat FVD over raw',
    ignore: path => path.endsWith('base1'),
  },
  'an FVD image whose storage is given back before its bitmap is empty': {
    of: 'flat FVD over raw',
    ignore: path => path.endsWith('image'),
  },
}

for (const [name, { of, ignore }] of Object.entries(SABOTAGE)) {
  test(`the power cuts catch ${name}`, t => {
    const random = seeded(t)
    for (let n = 0; n < 5; n++) {
      const { failure } = cutPower(OVERLAYS[of]!, random.fork(n), ignore)
      if (failure === null) continue
      t.log(failure)
      return t.pass()
    }
    return t.fail('not noticed in 5 runs')
  })
}
