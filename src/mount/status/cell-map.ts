import { monotonicTime } from '../../copy/throttle.js'
import { Cells } from '../../disk/cells.js'
import type { Disk } from '../../disk/disk.js'
import { Extent } from '../../disk/extents.js'
import * as atomics from '../../shared/atomics.js'
import { tracer } from '../../trace.js'

const debug = tracer('mount')

/**
 * The disk of a mount as a map of cells, for .rawmount/map.json. Who looks at the map goes on with a walk through the disk's
 * metadata, for some milliseconds at most: a small disk is walked through in that time, a huge one in many looks, so that no
 * look is slow. All threads share the walk and what it found:
 *
 *   lock      whoever walks; others show what is known. A base that hangs thus holds one thread
 *   offset    where the walk goes on
 *   scratch   what was found of the cell it is in, which replaces what was known of the cell when its end is reached
 *   sums      what is known of all cells, all zeros where nothing is; read without the lock, as each is a figure by itself
 *
 * A walk that was through starts again with the next look.
 */
const HEADER_BYTES = 64
const LOCK = 0

const OFFSET = 0
/** When somebody walked last, milliseconds of the monotonic clock. */
const WALKED_AT = 1
const PASSES = 2
const SCRATCH = 3

/** Cells at most: what a browser draws with ease, and a text that is read in one piece. */
const LIMIT = 1024

/** Bytes, of formats that do not say in what they allocate. */
const UNIT = 64 * 1024

/** Milliseconds that a look walks, and in which there is one walk at most: programs ask for the size and then the text. */
const WALK = 10
const PAUSE = 200

/** Of the figures: each cell has a character for each kind, from 0 (none of it) to z (all of it), in steps of a 35th. */
const ALL = 35

export class CellMap {
  private readonly cells: Cells
  private readonly words: Int32Array
  private readonly state: Float64Array
  private readonly scratch: Float64Array
  private readonly extent = new Extent()

  /** For a chain of so many images. */
  static allocate(depths: number): SharedArrayBuffer {
    return new SharedArrayBuffer(HEADER_BYTES + stateBytes(depths) + Cells.byteLength(depths, LIMIT))
  }

  /** `unit`: in what the image allocates, bytes. */
  constructor(
    memory: SharedArrayBuffer,
    private readonly disk: Disk,
    depths: number,
    unit = UNIT,
  ) {
    const bytes = stateBytes(depths)
    this.cells = new Cells(disk.size, depths, unit, LIMIT, memory, HEADER_BYTES + bytes)
    this.words = new Int32Array(memory, 0, HEADER_BYTES / 4)
    this.state = new Float64Array(memory, HEADER_BYTES, bytes / 8)
    this.scratch = this.state.subarray(SCRATCH)
  }

  /** The text of .rawmount/map.json; of the same length each time, for the same reason as the status. */
  render(): string {
    this.walk()
    const { cells, state } = this
    const kinds = [
      ...Array.from({ length: cells.depths }, (_, depth) => (depth === 0 ? 'image' : `base ${depth}`)),
      'zero',
      'unallocated',
    ]
    const shown = Array.from({ length: cells.count }, (_, cell) => this.figures(cell))
    return [
      `{"virtualSize": ${cells.size}`,
      `"cellSize": ${cells.span}`,
      `"passes": ${wide(state[PASSES]!)}`,
      `"walked": ${wide(state[OFFSET]!)}`,
      `"kinds": ${JSON.stringify(kinds)}`,
      `"bytes": [${kinds.map((_, kind) => wide(cells.total(kind))).join(', ')}]`,
      `"cells": ${JSON.stringify(shown)}}\n`,
    ].join(',\n ')
  }

  private figures(cell: number): string {
    const { cells } = this
    const length = cells.length(cell)
    let figures = ''
    for (let kind = 0; kind < cells.kinds; kind++) {
      const bytes = cells.bytes(cell, kind)
      const share = Math.min(ALL, Math.round((bytes * ALL) / length))
      figures += (bytes > 0 ? Math.max(1, share) : 0).toString(36)
    }
    return figures
  }

  private walk(): void {
    const { words, state } = this
    if (monotonicTime() - state[WALKED_AT]! < PAUSE) return
    if (atomics.compareExchange(words, LOCK, 0, 1) !== 0) return
    try {
      // The clock of one thread, which costs less than the one they share.
      const deadline = performance.now() + WALK
      do this.walkCell(deadline)
      while (state[OFFSET] !== 0 && performance.now() < deadline)
    } finally {
      state[WALKED_AT] = monotonicTime()
      atomics.store(words, LOCK, 0)
    }
  }

  /** To the end of the cell in which the walk is, or to the deadline. */
  private walkCell(deadline: number): void {
    const { cells, disk, extent, scratch, state } = this
    if (disk.size === 0) return
    let at = state[OFFSET]!
    const cell = Math.floor(at / cells.span)
    const end = cell * cells.span + cells.length(cell)
    try {
      while (at < end) {
        disk.nextExtent(at, end - at, extent)
        scratch[cells.kindOf(extent)]! += extent.length
        at += extent.length
        if (at < end && performance.now() >= deadline) {
          state[OFFSET] = at
          return
        }
      }
    } catch (error) {
      // A base that fails, or an entry that points nowhere: who reads there is told. Here it is not known what is there.
      debug('the map at %d: %O', at, error)
      scratch.fill(0)
    }
    cells.set(cell, scratch)
    scratch.fill(0)
    state[OFFSET] = end < disk.size ? end : 0
    if (end === disk.size) state[PASSES]!++
  }
}

function stateBytes(depths: number): number {
  return (SCRATCH + depths + 2) * Float64Array.BYTES_PER_ELEMENT
}

function wide(value: number): string {
  return `${value}`.padStart(`${Number.MAX_SAFE_INTEGER}`.length)
}
