import test from 'ava'
import { Budget } from '../support/budget.js'
import { runDriverSuite } from '../support/driver-suite.js'
import { exercise } from '../support/exercise.js'
import { FVD_CHAINS, FVD_GEOMETRIES, fvdMatrix } from '../support/geometries.js'
import { seeded } from '../support/random.js'

runDriverSuite(test, {
  name: 'FVD',
  capabilities: { allocates: true, anySize: false },
  geometries: FVD_GEOMETRIES,
})

runDriverSuite(test, {
  name: 'FVD with a base',
  capabilities: { allocates: true, anySize: false },
  geometries: FVD_CHAINS,
})

test('FVD, every block size against every chunk size: random operations show what the model shows', t => {
  const random = seeded(t)
  const budget = new Budget(1)
  for (let round = 0; budget.next(); round++) {
    for (const spec of fvdMatrix()) {
      const seed = random.fork(round).seed
      const failure = exercise(spec, seed, 25)
      if (failure !== null) return t.fail(failure)
    }
  }
  return t.pass()
})
