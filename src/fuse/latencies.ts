/**
 * How long requests took, from their arrival to their answer: for each kind a histogram whose buckets double. They lie in
 * the row of a worker behind its counters (counters.ts), as 64-bit floats like those.
 */
export const Kind = { read: 0, write: 1, sync: 2, other: 3 } as const
export type Kind = (typeof Kind)[keyof typeof Kind]
export const KINDS = Object.keys(Kind) as (keyof typeof Kind)[]

/** Bucket b has what took less than 2^b microseconds, and no less than the one before; the last, from 8 s on, has no end. */
const BUCKETS = 25
/** After the buckets: the sum of all times, in milliseconds. */
const KIND_CELLS = BUCKETS + 1
/** Cells of a row. */
export const LATENCY_CELLS = KINDS.length * KIND_CELLS

/** `cells`: of a row. */
export function addLatency(cells: Float64Array, kind: Kind, milliseconds: number): void {
  const base = kind * KIND_CELLS
  cells[base + bucketOf(milliseconds)]!++
  cells[base + BUCKETS]! += milliseconds
}

function bucketOf(milliseconds: number): number {
  const microseconds = milliseconds * 1000
  // Beyond 32 bits the operator below would lose the rest.
  return microseconds < 2 ** (BUCKETS - 1) ? 32 - Math.clz32(microseconds) : BUCKETS - 1
}

/** The times of one kind of requests. */
export interface Histogram {
  /** How many fell into each bucket. */
  readonly buckets: readonly number[]
  readonly count: number
  readonly seconds: number
}

/** The sum over the rows that begin at those cells. */
export function sumLatencies(cells: Float64Array, rows: readonly number[], kind: Kind): Histogram {
  const buckets = new Array<number>(BUCKETS).fill(0)
  let milliseconds = 0
  for (const row of rows) {
    const base = row + kind * KIND_CELLS
    for (let bucket = 0; bucket < BUCKETS; bucket++) buckets[bucket]! += cells[base + bucket]!
    milliseconds += cells[base + BUCKETS]!
  }
  return { buckets, count: buckets.reduce((sum, n) => sum + n), seconds: milliseconds / 1000 }
}

/** Seconds below which the requests of a bucket stayed; Infinity for the last. */
export function upperBound(bucket: number): number {
  return bucket === BUCKETS - 1 ? Number.POSITIVE_INFINITY : 2 ** bucket / 1e6
}

/** Microseconds below which that part (0 to 1) of the requests stayed, no finer than the buckets; 0 without requests. */
export function quantile({ buckets, count }: Histogram, part: number): number {
  if (count === 0) return 0
  let sum = 0
  const bucket = buckets.findIndex(n => {
    sum += n
    return sum >= count * part
  })
  return 2 ** bucket
}
