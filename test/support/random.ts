import { randomInt } from 'node:crypto'

/** A seeded generator (mulberry32): the same seed gives the same test, on every machine. */
export class Random {
  private state: number

  constructor(readonly seed: number) {
    this.state = seed | 0
  }

  /** 0 to 2^32 - 1. */
  word(): number {
    this.state = (this.state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.state ^ (this.state >>> 15), this.state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return (mixed ^ (mixed >>> 14)) >>> 0
  }

  /** 0 to `limit` - 1. */
  below(limit: number): number {
    return Math.floor((this.word() / 0x1_0000_0000) * limit)
  }

  /** `least` to `most`, both included. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1)
  }

  chance(probability: number): boolean {
    return this.word() < probability * 0x1_0000_0000
  }

  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new RangeError('nothing to pick from')
    return items[this.below(items.length)] as T
  }

  /** An independent generator for the n-th case, so that one case can be run alone. */
  fork(n: number): Random {
    return new Random((this.seed ^ Math.imul(n + 1, 0x9e3779b1)) >>> 0)
  }
}

/** What a test context must offer here; AVA's does. */
export interface Logger {
  log(...values: unknown[]): void
}

/** The generator of a random test: its seed is printed, and taken from RAWMOUNT_TEST_SEED when that is set. */
export function seeded(t: Logger): Random {
  const wanted = process.env.RAWMOUNT_TEST_SEED
  const seed = wanted === undefined ? randomInt(2 ** 31) : Number(wanted)
  if (!Number.isSafeInteger(seed)) throw new TypeError(`RAWMOUNT_TEST_SEED=${wanted} is not a whole number`)
  t.log(`seed ${seed}: run again with RAWMOUNT_TEST_SEED=${seed}`)
  return new Random(seed)
}
