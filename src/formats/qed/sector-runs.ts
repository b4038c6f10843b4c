import { SECTOR } from './layout.js'

/** Where the sectors in the buffer go; neighbours in the file are one write. */
export class SectorRuns {
  count = 0
  /** Of all runs together, and so the next free one in the buffer. */
  sectors = 0
  /** Sector in the buffer. */
  readonly first: Int32Array
  /** Sectors. */
  readonly length: Int32Array
  /** Bytes. */
  readonly inFile: Float64Array
  readonly afterBarrier: Uint8Array

  constructor(capacity: number) {
    this.first = new Int32Array(capacity)
    this.length = new Int32Array(capacity)
    this.inFile = new Float64Array(capacity)
    this.afterBarrier = new Uint8Array(capacity)
  }

  clear(): void {
    this.count = 0
    this.sectors = 0
  }

  /** The next sector of the buffer goes to byte `inFile` of the file. */
  add(inFile: number, afterBarrier: boolean): void {
    const last = this.count - 1
    const flag = afterBarrier ? 1 : 0
    if (
      last >= 0 &&
      this.afterBarrier[last] === flag &&
      this.inFile[last]! + this.length[last]! * SECTOR === inFile
    ) {
      this.length[last]!++
    } else {
      this.first[this.count] = this.sectors
      this.length[this.count] = 1
      this.inFile[this.count] = inFile
      this.afterBarrier[this.count] = flag
      this.count++
    }
    this.sectors++
  }
}
