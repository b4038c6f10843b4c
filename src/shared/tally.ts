import { Mutex } from './mutex.js'

/**
 * Sums that several threads add to, where a 32-bit word would wrap: 64-bit floats, exact to 2^53, under a mutex. For
 * what costs a system call anyway.
 */
const NUMBERS_AT = 8

export class Tally {
  private readonly mutex: Mutex
  private readonly numbers: Float64Array

  static allocate(cells: number): SharedArrayBuffer {
    return new SharedArrayBuffer(NUMBERS_AT + cells * 8)
  }

  constructor(memory: SharedArrayBuffer) {
    this.mutex = new Mutex(new Int32Array(memory, 0, 1), 0, 'sums')
    this.numbers = new Float64Array(memory, NUMBERS_AT)
  }

  add(cell: number, amount: number): void {
    this.mutex.lock()
    this.numbers[cell]! += amount
    this.mutex.unlock()
  }

  set(cell: number, amount: number): void {
    this.mutex.lock()
    this.numbers[cell] = amount
    this.mutex.unlock()
  }

  /** May be an addition behind. */
  get(cell: number): number {
    return this.numbers[cell]!
  }
}
