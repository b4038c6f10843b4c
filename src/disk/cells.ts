import type { Disk } from './disk.js'
import { Extent } from './extents.js'

/**
 * A disk divided into cells of equal length, and how many bytes of each cell lie in which way. A kind is a number: 0 is
 * data in the image itself, 1 data in its backing file, and so on; then `zero`, what an image of the chain says is zero
 * or a file has a hole for, and `unallocated`, what none says anything about.
 */
export class Cells {
  /** Bytes of a cell; the last one may be shorter. */
  readonly span: number
  readonly count: number
  readonly zero: number
  readonly unallocated: number
  readonly kinds: number
  private readonly sums: Float64Array

  /**
   * `depths`: images in the chain. Cells are multiples of `unit`, bytes, and there are at most `limit`: a disk of few
   * units has a cell for each. The sums are kept in `memory`, of byteLength() bytes, where one is given.
   */
  constructor(
    readonly size: number,
    readonly depths: number,
    unit: number,
    limit: number,
    memory: SharedArrayBuffer | null = null,
    at = 0,
  ) {
    this.span = unit * Math.max(1, Math.ceil(size / (unit * limit)))
    this.count = Math.ceil(size / this.span)
    this.zero = depths
    this.unallocated = depths + 1
    this.kinds = depths + 2
    const length = this.count * this.kinds
    this.sums = memory === null ? new Float64Array(length) : new Float64Array(memory, at, length)
  }

  /** Bytes that the sums take. */
  static byteLength(depths: number, limit: number): number {
    return limit * (depths + 2) * Float64Array.BYTES_PER_ELEMENT
  }

  /** Replaces what is known of a cell: bytes of each kind. */
  set(cell: number, sums: ArrayLike<number>): void {
    this.sums.set(sums, cell * this.kinds)
  }

  add(offset: number, length: number, kind: number): void {
    const { span, kinds, sums } = this
    for (let at = offset; at < offset + length; ) {
      const cell = Math.floor(at / span)
      const end = Math.min((cell + 1) * span, offset + length)
      sums[cell * kinds + kind]! += end - at
      at = end
    }
  }

  /** Bytes of a kind in a cell. */
  bytes(cell: number, kind: number): number {
    return this.sums[cell * this.kinds + kind]!
  }

  /** What lies in a hole of a storage file is no data, in whatever format. */
  kindOf({ depth, data, present, hole }: Extent): number {
    if (!present) return this.unallocated
    return data && !hole ? depth : this.zero
  }

  /** Bytes of the cell. */
  length(cell: number): number {
    return Math.min(this.span, this.size - cell * this.span)
  }

  /** Bytes of a kind in the cells from `first` on, all of them when no others are given. */
  total(kind: number, first = 0, end = this.count): number {
    let total = 0
    for (let cell = first; cell < end; cell++) total += this.bytes(cell, kind)
    return total
  }
}

/**
 * Walks the disk from `offset` on and adds what it finds; no guest byte is read. Returns where it stopped: the end of the
 * disk, or earlier when performance.now() had reached `deadline`. Throws as
 * Disk.nextExtent() does.
 */
export function countCells(
  disk: Disk,
  cells: Cells,
  offset = 0,
  deadline = Number.POSITIVE_INFINITY,
): number {
  const extent = new Extent()
  let at = offset
  for (let steps = 1; at < disk.size; steps++) {
    disk.nextExtent(at, disk.size - at, extent)
    cells.add(at, extent.length, cells.kindOf(extent))
    at += extent.length
    if (steps % STEPS === 0 && performance.now() >= deadline) break
  }
  return at
}

/** Extents between two looks at the clock. */
const STEPS = 64
