import test from 'ava'
import { errnoOf } from '../../src/errors.js'
import { errno, errnoName } from '../../src/libc/errno.js'
import { fvdSpec, qedSpec, rawSpec } from '../support/geometries.js'
import { buildImage, type ImageSpec, openBuilt } from '../support/image-chain.js'
import { Random } from '../support/random.js'
import { mustShow, resizeBuilt, resized, work } from '../support/resizing.js'
import { SimulatedStorage } from '../support/simulated-storage.js'

/** The same change of size again and again; each time another call of the storage fails. */
const KIB = 1024
const MIB = 1024 * KIB

const CHANGES: Record<string, { spec: ImageSpec; size: number }> = {
  'raw grows': { spec: rawSpec(64 * KIB), size: 96 * KIB },
  'QED over a longer base grows': {
    spec: qedSpec(60 * KIB + 512, 4 * KIB, 1, { backing: rawSpec(160 * KIB) }),
    size: 128 * KIB,
  },
  'QED shrinks and closes gaps': { spec: qedSpec(5 * MIB, 4 * KIB, 2), size: 300 * KIB + 512 },
  'flat FVD shrinks': { spec: fvdSpec(160 * KIB, {}), size: 61 * KIB },
  'compact FVD grows into its data': {
    spec: fvdSpec(100 * KIB + 512, { block: 7680, chunk: 4 * KIB, journal: 8 * KIB }, rawSpec(90 * KIB)),
    size: 9 * MIB,
  },
  'compact FVD over a base shrinks': {
    spec: fvdSpec(256 * KIB, { block: 7680, chunk: 4 * KIB, journal: 8 * KIB }, rawSpec(200 * KIB)),
    size: 99 * KIB,
  },
}

for (const [name, { spec, size }] of Object.entries(CHANGES)) {
  test(`${name}: any call that fails reaches the caller as errno, and leaves the old size or the new one`, t => {
    const calls = run(spec, size, 0, errno.EIO).calls
    t.true(calls >= 3)
    for (let nth = 1; nth <= calls; nth++) {
      const code = nth % 2 === 0 ? errno.ENOSPC : errno.EIO
      const { failure } = run(spec, size, nth, code)
      if (failure !== null)
        return t.fail(`call ${nth} of ${calls} failing with ${errnoName(code)}: ${failure}`)
    }
    t.log(`${calls} calls`)
    return t.pass()
  })
}

/** `nth`: which call fails, from 1; 0: none. */
function run(
  spec: ImageSpec,
  size: number,
  nth: number,
  code: number,
): { calls: number; failure: string | null } {
  const storage = new SimulatedStorage()
  const random = new Random(4711)
  const before = buildImage(storage, spec, random)
  work(storage, before, random, 24, 1)
  const after = resized(before, size, random)
  storage.forget()
  if (nth > 0) storage.failNext('any', code, { nth, partial: true })
  try {
    try {
      resizeBuilt(storage, before, size)
    } catch (error) {
      if (nth === 0 || errnoOf(error) !== code) throw error
    }
    const calls = storage.calls.length
    storage.clearFaults()
    if (storage.leftOpen().length > 0) throw new Error(`left open: ${storage.leftOpen().join(', ')}`)
    const disk = openBuilt(storage, before, false)
    const found = disk.size === size ? after : before
    disk.close()
    mustShow(storage, found, true)
    resizeBuilt(storage, found, size)
    mustShow(storage, after, true)
    return { calls, failure: null }
  } catch (error) {
    return { calls: 0, failure: `${(error as Error).stack}` }
  }
}
