import { errno } from '../libc/errno.js'
import { addLatency, type Histogram, type Kind, LATENCY_CELLS, sumLatencies } from './latencies.js'

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
  /** Requests that were answered with an error, see isFailure(). */
  errors: 6,
} as const
export type Counter = (typeof Counter)[keyof typeof Counter]

/**
 * Not what is asked to find out whether it is there: names, operations that the kernel can do without, and of who is
 * `seeking`, data behind a place, or holes in a file that knows none.
 */
export function isFailure(number: number, seeking = false): boolean {
  if (seeking && (number === errno.ENXIO || number === errno.EINVAL)) return false
  return number !== errno.ENOENT && number !== errno.ENOSYS && number !== errno.ENOTTY
}

const COUNTERS = 7
/** Where the histograms of a row begin. */
const LATENCIES = 8
/** Whole pairs of cache lines, so that two workers never write to one line (processors fetch lines in pairs). */
const ROW = Math.ceil((LATENCIES + LATENCY_CELLS) / 16) * 16

export type Totals = Record<keyof typeof Counter, number>

export function createCounters(workers: number): SharedArrayBuffer {
  return new SharedArrayBuffer(workers * ROW * Float64Array.BYTES_PER_ELEMENT)
}

/** The row of one worker. */
export class Counters {
  private readonly cells: Float64Array
  private readonly latencies: Float64Array

  constructor(memory: SharedArrayBuffer, worker: number) {
    const start = worker * ROW
    this.cells = new Float64Array(memory, start * Float64Array.BYTES_PER_ELEMENT, COUNTERS)
    this.latencies = new Float64Array(
      memory,
      (start + LATENCIES) * Float64Array.BYTES_PER_ELEMENT,
      LATENCY_CELLS,
    )
  }

  add(counter: Counter, value: number): void {
    this.cells[counter]! += value
  }

  /** A request of that kind was served. */
  took(kind: Kind, milliseconds: number): void {
    addLatency(this.latencies, kind, milliseconds)
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

/** How long the requests of that kind took, over all workers; any thread. */
export function latenciesOf(memory: SharedArrayBuffer, kind: Kind): Histogram {
  const cells = new Float64Array(memory)
  const rows: number[] = []
  for (let row = 0; row < cells.length; row += ROW) rows.push(row + LATENCIES)
  return sumLatencies(cells, rows, kind)
}
