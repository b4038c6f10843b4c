/**
 * What a file gives while it is asked: bytes over the time in which at least one request is under way, however many
 * there are at once. Idle time says nothing of the file, and does not count.
 *
 * A measurement ends with the first request that ends after `measureTime` of such time, and enters the moving average
 * with 100 percent minus its weight; the first one is the average.
 *
 * The cells lie in shared memory, and belong to who holds the throttle's mutex. Times are milliseconds.
 */
const Cell = {
  underWay: 0,
  /** Since when something is under way, as far as it was not counted yet. */
  since: 1,
  /** Of the present measurement. */
  busy: 2,
  bytes: 3,
  average: 4,
  measured: 5,
  length: 6,
} as const

export const THROUGHPUT_CELLS = Cell.length

export class Throughput {
  /** `cells`: THROUGHPUT_CELLS of them. `weight`: of the earlier measurements, percent. */
  constructor(
    private readonly cells: Float64Array,
    private readonly measureTime: number,
    private readonly weight: number,
  ) {}

  /** Bytes per second; 0 before the first measurement. */
  get average(): number {
    return this.cells[Cell.average]!
  }

  begin(now: number): void {
    this.count(now)
    this.cells[Cell.underWay]!++
  }

  /** Returns whether a measurement ended with it. */
  end(bytes: number, now: number): boolean {
    const { cells } = this
    this.count(now)
    cells[Cell.underWay]!--
    cells[Cell.bytes]! += bytes
    const busy = cells[Cell.busy]!
    if (busy < this.measureTime) return false
    const rate = (cells[Cell.bytes]! * 1000) / busy
    const earlier = cells[Cell.measured] === 0 ? rate : cells[Cell.average]!
    cells[Cell.average] = (this.weight * earlier + (100 - this.weight) * rate) / 100
    cells[Cell.measured]!++
    cells[Cell.busy] = 0
    cells[Cell.bytes] = 0
    return true
  }

  /** Forgets what was measured; what is under way stays so. */
  restart(now: number): void {
    const { cells } = this
    cells[Cell.since] = now
    cells[Cell.busy] = 0
    cells[Cell.bytes] = 0
    cells[Cell.average] = 0
    cells[Cell.measured] = 0
  }

  private count(now: number): void {
    const { cells } = this
    if (cells[Cell.underWay]! > 0) cells[Cell.busy]! += Math.max(0, now - cells[Cell.since]!)
    cells[Cell.since] = now
  }
}
