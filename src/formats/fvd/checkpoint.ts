import { IoBuffer } from '../../libc/io-buffer.js'
import * as atomics from '../../shared/atomics.js'
import { tracer } from '../../trace.js'
import { clearBit, nextBit, runOfBits } from './bits.js'
import { EMPTY, ENTRIES_PER_SECTOR, SECTOR } from './layout.js'
import { type FvdState, Word } from './state.js'
import { NO_STORAGE } from './survey.js'

const log = tracer('fvd')

/** Sectors that one write takes at most. */
const BATCH_SECTORS = 2048

/**
 * Brings the saved table and bitmap to their places in the file: the stale sectors of the table, barrier, those of the
 * bitmap, barrier. In this order because an entry of a chunk whose blocks are still in the base is not looked at, but a
 * block in the image whose chunk has no entry would read as zeros. All data are durable before it begins.
 *
 * Belongs to who commits, one at a time. When it throws, what was not written stays stale.
 */
export class Checkpoint {
  private buffer: IoBuffer | null = null

  constructor(private readonly state: FvdState) {}

  /** The journal may be written over when this returns. */
  run(): void {
    const { control, file, tableStale, bitmapStale } = this.state
    if (log.enabled) log('%s: a checkpoint brings table and bitmap to their places', file.path)
    // After a failure, an earlier run may have written what no barrier followed.
    const behind = atomics.load(control, Word.behind) !== 0
    if (this.write(tableStale, this.encodeTable) || behind) file.sync()
    if (this.write(bitmapStale, this.encodeBitmap) || behind) file.sync()
    atomics.store(control, Word.behind, 0)
    atomics.store(control, Word.cursor, 0)
  }

  /** Returns whether anything was stale. */
  private write(
    stale: Int32Array,
    encode: (buffer: IoBuffer, first: number, count: number) => number,
  ): boolean {
    let any = false
    for (let first = nextBit(stale, 0); first >= 0; first = nextBit(stale, first)) {
      this.buffer ??= new IoBuffer(BATCH_SECTORS * SECTOR)
      const count = runOfBits(stale, first, Math.min(first + BATCH_SECTORS, stale.length * 32))
      const offset = encode(this.buffer, first, count)
      this.state.file.write(this.buffer, 0, count * SECTOR, offset)
      for (let sector = first; sector < first + count; sector++) clearBit(stale, sector)
      any = true
    }
    return any
  }

  private readonly encodeTable = (buffer: IoBuffer, first: number, count: number): number => {
    const { savedTable, description } = this.state
    const start = first * ENTRIES_PER_SECTOR
    for (let i = 0; i < count * ENTRIES_PER_SECTOR; i++) {
      const entry = savedTable[start + i]!
      buffer.view.setUint32(i * 4, entry === NO_STORAGE ? EMPTY : entry - 1, true)
    }
    return description.shape.tableOffset + first * SECTOR
  }

  private readonly encodeBitmap = (buffer: IoBuffer, first: number, count: number): number => {
    const { savedBitmap, description } = this.state
    const start = (first * SECTOR) / 4
    for (let i = 0; i < (count * SECTOR) / 4; i++) buffer.view.setInt32(i * 4, savedBitmap[start + i]!, true)
    return description.shape.bitmapOffset + first * SECTOR
  }
}
