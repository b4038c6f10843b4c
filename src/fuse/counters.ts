/**
 * What the workers did, for the status file and for tests: a row of numbers per worker in shared memory. A worker
 * adds to its own row only, so no addition needs an atomic; the reader sums the rows and may be a request behind.
 * The cells are 64-bit floats: exact to 2^53, where 32-bit words would wrap after 4 GiB and 64-bit integers would
 * allocate a BigInt on each addition. An aligned float is stored whole on every 64-bit machine, so a sum never
 * contains half a number.
 */
export const Counter = {
  reads: 0,
  writes: 1,
  /** FSYNC and FLUSH. */
  syncs: 2,
  others: 3,
  bytesRead: 4,
  bytesWritten: 5,
  /** Requests that were answered with an error, but for names that do not exist. */
  errors: 6,
} as const
export type Counter = (typeof Counter)[keyof typeof Counter]

const COUNTERS = 7
/** Two cache lines, so that two workers never write to one line (processors fetch lines in pairs). */
const ROW = 16

export type Totals = Record<keyof typeof Counter, number>

export function createCounters(workers: number): SharedArrayBuffer {
  return new SharedArrayBuffer(workers * ROW * Float64Array.BYTES_PER_ELEMENT)
}

/** The row of one worker. */
export class Counters {
  private readonly cells: Float64Array

  constructor(memory: SharedArrayBuffer, worker: number) {
    this.cells = new Float64Array(memory, worker * ROW * Float64Array.BYTES_PER_ELEMENT, COUNTERS)
  }

  add(counter: Counter, value: number): void {
    this.cells[counter]! += value
  }
}

/** The sums over all workers; any thread. */
export function sumCounters(memory: SharedArrayBuffer): Totals {
  const cells = new Float64Array(memory)
  const totals = {} as Totals
  for (const [name, index] of Object.entries(Counter)) {
    let sum = 0
    for (let row = 0; row < cells.length; row += ROW) sum += cells[row + index]!
    totals[name as keyof Totals] = sum
  }
  return totals
}
