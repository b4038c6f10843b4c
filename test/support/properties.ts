import type { ExecutionContext } from 'ava'
import fc from 'fast-check'
import { seeded } from './random.js'

/** Tries the property with many inputs; a failure shows the smallest one that was found, and the seed. */
export function holds<T>(t: ExecutionContext, property: fc.IProperty<T>): void {
  const { seed } = seeded(t)
  t.notThrows(() => fc.assert(property, { seed, numRuns: 1000 }))
}
