/**
 * A limit of bytes per second. Who takes bytes pushes the time from which the next may flow; who comes earlier waits
 * until then. A time that lies back counts for BURST at most, so that after a rest no more than that flows at once.
 *
 * Its cell lies in shared memory, and belongs to who holds the throttle's mutex.
 */

/** Milliseconds: what a thread that slept too long may make up for. */
const BURST = 30

export class TokenBucket {
  /** `rate`: bytes per second; Infinity: no limit. */
  constructor(
    private readonly cells: Float64Array,
    private readonly cell: number,
    private readonly rate: number,
  ) {}

  /** Milliseconds from `now` until these bytes may begin to flow. They are taken: a second call waits behind them. */
  take(bytes: number, now: number): number {
    const start = Math.max(this.cells[this.cell]!, now - BURST)
    this.cells[this.cell] = start + (bytes * 1000) / this.rate
    return Math.max(0, start - now)
  }
  /** Bytes that were taken and did not flow. */
  giveBack(bytes: number): void {
    this.cells[this.cell]! -= (bytes * 1000) / this.rate
  }
}
