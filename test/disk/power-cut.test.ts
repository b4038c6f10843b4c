import test from 'ava'
import { Budget, isLongRun } from '../support/budget.js'
import { qedSpec, rawSpec } from '../support/geometries.js'
import type { ImageSpec } from '../support/image-chain.js'
import { cutPower } from '../support/power-cut.js'
import { seeded } from '../support/random.js'

const KIB = 1024

/** Small disks: the states are many, and each is read whole. */
const GEOMETRIES: Record<string, { spec: ImageSpec; runs: number }> = {
  raw: { spec: rawSpec(64 * KIB + 512), runs: 3 },
  QED: { spec: qedSpec(160 * KIB + 512, 4 * KIB, 1), runs: 8 },
  'QED with many tables and a cache of one': {
    spec: qedSpec(12 << 20, 4 * KIB, 1, { metadataCache: 1 }),
    runs: 4,
  },
  'QED with large tables': { spec: qedSpec(128 * KIB, 4 * KIB, 8), runs: 3 },
  'QED with 64 KiB clusters': { spec: qedSpec(384 * KIB + 512, 64 * KIB, 1), runs: 2 },
  'QED over a shorter raw base': {
    spec: qedSpec(160 * KIB, 4 * KIB, 1, { backing: rawSpec(100 * KIB + 512) }),
    runs: 6,
  },
  'QED over QED over raw': {
    spec: qedSpec(128 * KIB, 4 * KIB, 2, {
      backing: qedSpec(140 * KIB, 8 * KIB, 1, { backing: rawSpec(90 * KIB) }),
    }),
    runs: 4,
  },
}

for (const [name, { spec, runs }] of Object.entries(GEOMETRIES)) {
  test(`${name}: after a power cut at any point the image opens, is consistent, and shows nothing but what was flushed or written later`, t => {
    const random = seeded(t)
    const budget = new Budget(runs)
    let states = 0
    for (let n = 0; budget.next(); n++) {
      const seed = n === 0 ? random.seed : random.fork(n).seed
      const result = cutPower({ spec, seed, operations: 24, randomChoices: 3, exhaustive: isLongRun })
      states += result.states
      if (result.failure !== null) return t.fail(result.failure)
    }
    t.log(`${states} states`)
    return t.true(states > 50 * runs)
  })
}

/** Barriers that are left out on purpose: the campaign must notice each. */
const SABOTAGE: Record<string, { spec: ImageSpec; ignore: (number: number) => boolean }> = {
  'a raw image whose barriers do nothing': { spec: rawSpec(64 * KIB), ignore: () => true },
  'a commit without its first barrier': {
    spec: qedSpec(160 * KIB, 4 * KIB, 1),
    ignore: number => number === 0,
  },
  'a commit without its later barriers': {
    spec: qedSpec(160 * KIB, 4 * KIB, 1),
    ignore: number => number > 0,
  },
  'a commit without its first barrier over a base': {
    spec: qedSpec(160 * KIB, 4 * KIB, 1, { backing: rawSpec(160 * KIB) }),
    ignore: number => number === 0,
  },
}

for (const [name, { spec, ignore }] of Object.entries(SABOTAGE)) {
  test(`the campaign catches ${name}`, t => {
    const random = seeded(t)
    for (let n = 0; n < 5; n++) {
      const result = cutPower({
        spec,
        seed: random.fork(n).seed,
        operations: 24,
        randomChoices: 3,
        ignoreBarrier: ignore,
      })
      if (result.failure === null) continue
      t.log(result.failure.split('\n')[0])
      return t.pass()
    }
    return t.fail('not noticed in 5 campaigns')
  })
}
