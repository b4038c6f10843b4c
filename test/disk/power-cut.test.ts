import test from 'ava'
import { Budget, isLongRun } from '../support/budget.js'
import { fvdSpec, qedSpec, rawSpec } from '../support/geometries.js'
import type { ImageSpec } from '../support/image-chain.js'
import { cutPower } from '../support/power-cut.js'
import { seeded } from '../support/random.js'

const KIB = 1024

/** Small disks: the states are many, and each is read whole. */
const GEOMETRIES: Record<string, { spec: ImageSpec; runs: number; copying?: boolean }> = {
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
  'flat FVD over a shorter base': {
    spec: fvdSpec(160 * KIB, { block: 1536, journal: 8 * KIB }, rawSpec(100 * KIB + 512)),
    runs: 4,
  },
  'compact FVD with a journal of 8 sectors': {
    spec: fvdSpec(160 * KIB + 512, { chunk: 4 * KIB, journal: 4 * KIB, growUnit: 12 * KIB }),
    runs: 5,
  },
  'compact FVD with a data file': {
    spec: fvdSpec(160 * KIB, { block: 512, chunk: 8 * KIB, dataFile: true }, rawSpec(130 * KIB)),
    runs: 4,
  },
  'compact FVD, blocks across chunks': {
    spec: fvdSpec(256 * KIB, { block: 7680, chunk: 4 * KIB, journal: 8 * KIB }, rawSpec(200 * KIB + 512)),
    runs: 5,
  },
  'compact FVD, a block of more chunks than a sector takes': {
    spec: fvdSpec(1200 * KIB, { block: 1023 * 512, chunk: 4 * KIB, journal: 4 * KIB }, rawSpec(900 * KIB)),
    runs: 1,
  },
  'FVD without a journal': {
    spec: fvdSpec(128 * KIB, { block: 1024, chunk: 4 * KIB, journal: 0 }, rawSpec(100 * KIB)),
    runs: 3,
  },
  'FVD over QED': {
    spec: fvdSpec(128 * KIB, { block: 512, chunk: 16 * KIB }, qedSpec(100 * KIB, 4 * KIB, 1)),
    runs: 3,
  },
  'QED that is filled from its base': {
    spec: qedSpec(160 * KIB, 4 * KIB, 1, { backing: rawSpec(100 * KIB + 512) }),
    runs: 4,
    copying: true,
  },
  'flat FVD that is filled from its base': {
    spec: fvdSpec(96 * KIB, { block: 1536, journal: 8 * KIB }, rawSpec(80 * KIB + 512)),
    runs: 4,
    copying: true,
  },
  'compact FVD that is filled from its base, blocks across chunks': {
    spec: fvdSpec(128 * KIB, { block: 7680, chunk: 4 * KIB, journal: 8 * KIB }, rawSpec(100 * KIB + 512)),
    runs: 4,
    copying: true,
  },
}

for (const [name, { spec, runs, copying = false }] of Object.entries(GEOMETRIES)) {
  test(`${name}: after a power cut at any point the image opens, is consistent, and shows nothing but what was flushed or written later`, t => {
    const random = seeded(t)
    const budget = new Budget(runs)
    let states = 0
    for (let n = 0; budget.next(); n++) {
      const seed = n === 0 ? random.seed : random.fork(n).seed
      const result = cutPower({
        spec,
        seed,
        copying,
        operations: 24,
        randomChoices: 3,
        exhaustive: isLongRun,
      })
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
  'an FVD commit without its first barrier': {
    spec: fvdSpec(160 * KIB, { chunk: 4 * KIB, journal: 4 * KIB }),
    ignore: number => number === 0,
  },
  'an FVD commit without its later barriers': {
    spec: fvdSpec(160 * KIB, { block: 512, chunk: 4 * KIB, journal: 4 * KIB }, rawSpec(160 * KIB)),
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
