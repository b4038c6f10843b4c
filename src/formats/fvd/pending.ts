import * as atomics from '../../shared/atomics.js'
import { clearBit, hasBit, nextBit, runOfBits, setBit, setBits } from './bits.js'
import { BITMAP_LENGTH, type JournalWriter } from './journal.js'
import { ENTRIES_PER_SECTOR, ENTRY_LENGTH, SECTOR } from './layout.js'
import { type FvdState, sectorOfBlock, sectorOfChunk, Word } from './state.js'

const BLOCKS_PER_SECTOR = SECTOR * 8
const WORDS_PER_SECTOR = SECTOR / 4

/**
 * Moves what is pending, which is where table and bitmap differ from what is saved, into the saved half; as records of
 * the journal, or, where they are to be written in place, as they are. Each changed sector is taken under the mutex, as a
 * whole; what changes later is left to the next commit.
 *
 * A block goes into one sector of the journal together with the entries of its chunks that are not durable yet. Those
 * that an earlier sector of the same batch has are not: any of the sectors may be lost, so they are said again. A block of
 * so many new chunks that they do not fit has them saved first, and goes into a later batch: until then it is in the base.
 */
export class PendingChanges {
  private nextBitmapSector = 0
  private nextTableSector = 0
  /** Some block waits for a later batch; one of the sector that is being collected does. */
  private deferred = false
  private deferredHere = false
  private isSecondPass = false
  /** Chunks whose entries stand in a sector of this batch, and in the last one of them. */
  private readonly inBatch = new Set<number>()
  private readonly inSector = new Set<number>()

  constructor(private readonly state: FvdState) {}

  /** A new commit begins. */
  restart(): void {
    this.nextBitmapSector = 0
    this.nextTableSector = 0
    this.deferred = false
    this.isSecondPass = false
  }

  /** Fills at most `limit` sectors. Returns whether there is more to collect; call again when those are durable. */
  collect(writer: JournalWriter, limit: number): boolean {
    writer.clear()
    this.inBatch.clear()
    const { bitmapChanged, tableChanged } = this.state
    for (;;) {
      const sector = nextBit(bitmapChanged, this.nextBitmapSector)
      if (sector < 0) break
      this.nextBitmapSector = sector
      if (!this.take(bitmapChanged, sector, () => this.collectBlocks(sector, writer, limit))) return true
      this.nextBitmapSector++
    }
    this.nextBitmapSector = bitmapChanged.length * 32
    for (;;) {
      const sector = nextBit(tableChanged, this.nextTableSector)
      if (sector < 0) break
      this.nextTableSector = sector
      if (!this.take(tableChanged, sector, () => this.collectEntries(sector, writer, limit))) return true
      this.nextTableSector++
    }
    // What others defer in the second pass was pending after this commit began.
    if (!this.deferred || this.isSecondPass) return false
    this.restart()
    this.isSecondPass = true
    return true
  }

  /** Everything, without records. */
  collectWhole(): void {
    const { bitmap, bitmapChanged, bitmapStale, savedBitmap } = this.state
    const { savedTable, table, tableChanged, tableStale } = this.state
    // Blocks first: whoever sets a block has seen to its chunks before.
    for (let sector = nextBit(bitmapChanged, 0); sector >= 0; sector = nextBit(bitmapChanged, sector + 1)) {
      const first = sector * WORDS_PER_SECTOR
      this.take(bitmapChanged, sector, () => {
        savedBitmap.set(bitmap.subarray(first, first + WORDS_PER_SECTOR), first)
        setBit(bitmapStale, sector)
        return true
      })
    }
    for (let sector = nextBit(tableChanged, 0); sector >= 0; sector = nextBit(tableChanged, sector + 1)) {
      const first = sector * ENTRIES_PER_SECTOR
      this.take(tableChanged, sector, () => {
        savedTable.set(table.subarray(first, first + ENTRIES_PER_SECTOR), first)
        setBit(tableStale, sector)
        return true
      })
    }
  }

  /** Under the mutex; the sector stays marked when `collect` could not finish, or left a block for later. */
  private take(changed: Int32Array, sector: number, collect: () => boolean): boolean {
    const { control, mutex } = this.state
    mutex.lock()
    try {
      this.deferredHere = false
      if (!collect()) return false
      if (!this.deferredHere && clearBit(changed, sector)) atomics.add(control, Word.changed, -1)
      return true
    } finally {
      mutex.unlock()
    }
  }

  /** False when the limit was reached before all was collected. */
  private collectBlocks(sector: number, writer: JournalWriter, limit: number): boolean {
    const { bitmap, savedBitmap, geometry } = this.state
    const end = Math.min((sector + 1) * BLOCKS_PER_SECTOR, geometry.blocks)
    for (let block = sector * BLOCKS_PER_SECTOR; block < end; ) {
      if (!hasBit(bitmap, block)) block += runOfBits(bitmap, block, end)
      else if (hasBit(savedBitmap, block)) block += runOfBits(savedBitmap, block, end)
      else {
        let stop = block + runOfBits(bitmap, block, end)
        stop = block + runOfBits(savedBitmap, block, stop)
        if (!this.collectRun(block, stop, writer, limit)) return false
        block = stop
      }
    }
    return true
  }

  private collectRun(first: number, end: number, writer: JournalWriter, limit: number): boolean {
    const { bitmapStale, geometry, savedBitmap } = this.state
    const { baseSize, blockSize } = geometry
    for (let block = first; block < end; ) {
      if (writer.count >= limit) return false
      this.openSector(writer)
      let stop = block
      while (stop < end && this.blockFits(stop, writer)) {
        this.addChunksOf(stop, writer)
        stop++
      }
      if (stop === block) {
        if (!this.saveChunksOf(block, writer, limit)) return false
        this.deferred = this.deferredHere = true
        block++
        continue
      }
      const start = block * blockSize
      writer.blocks(start / SECTOR, (Math.min(stop * blockSize, baseSize) - start) / SECTOR)
      setBits(savedBitmap, block, stop)
      setBit(bitmapStale, sectorOfBlock(block))
      block = stop
    }
    return true
  }

  /** Whether what is to be said of the block's chunks fits this sector, and the block itself. */
  private blockFits(block: number, writer: JournalWriter): boolean {
    const last = this.lastChunkOf(block)
    let length = BITMAP_LENGTH
    // No chunk comes before the first one: -1 would.
    let previous = -2
    for (let chunk = this.firstChunkOf(block); chunk <= last; chunk++) {
      if (!this.mustSay(chunk)) continue
      length += previous === chunk - 1 ? ENTRY_LENGTH : writer.lengthOf(chunk)
      previous = chunk
    }
    return writer.room >= length
  }

  /** The sector has no entry of this chunk, and without one it might be lost. */
  private mustSay(chunk: number): boolean {
    if (this.inSector.has(chunk)) return false
    return this.inBatch.has(chunk) || this.isUnsaved(chunk)
  }

  private isUnsaved(chunk: number): boolean {
    return atomics.loadUnsigned(this.state.table, chunk) !== this.state.savedTable[chunk]
  }

  /** What blockFits() found room for. */
  private addChunksOf(block: number, writer: JournalWriter): void {
    const last = this.lastChunkOf(block)
    for (let chunk = this.firstChunkOf(block); chunk <= last; chunk++) {
      if (this.mustSay(chunk)) this.addEntry(chunk, writer)
    }
  }

  private saveChunksOf(block: number, writer: JournalWriter, limit: number): boolean {
    const last = this.lastChunkOf(block)
    for (let chunk = this.firstChunkOf(block); chunk <= last; chunk++) {
      if (!this.saveEntry(chunk, writer, limit)) return false
    }
    return true
  }

  private collectEntries(sector: number, writer: JournalWriter, limit: number): boolean {
    const end = Math.min((sector + 1) * ENTRIES_PER_SECTOR, this.state.geometry.chunks)
    for (let chunk = sector * ENTRIES_PER_SECTOR; chunk < end; chunk++) {
      if (!this.saveEntry(chunk, writer, limit)) return false
    }
    return true
  }

  private saveEntry(chunk: number, writer: JournalWriter, limit: number): boolean {
    if (!this.isUnsaved(chunk)) return true
    if (writer.room < writer.lengthOf(chunk)) {
      if (writer.count >= limit) return false
      this.openSector(writer)
    }
    this.addEntry(chunk, writer)
    return true
  }

  private openSector(writer: JournalWriter): void {
    writer.open()
    this.inSector.clear()
  }

  private addEntry(chunk: number, writer: JournalWriter): void {
    const { savedTable, table, tableStale } = this.state
    const entry = atomics.loadUnsigned(table, chunk)
    writer.entry(chunk, entry - 1)
    savedTable[chunk] = entry
    setBit(tableStale, sectorOfChunk(chunk))
    this.inBatch.add(chunk)
    this.inSector.add(chunk)
  }

  private firstChunkOf(block: number): number {
    const { blockSize, chunkSize, compact } = this.state.geometry
    return compact ? Math.floor((block * blockSize) / chunkSize) : 0
  }

  /** -1 in a flat image, which has no chunks. */
  private lastChunkOf(block: number): number {
    const { baseSize, blockSize, chunkSize, compact } = this.state.geometry
    return compact ? Math.ceil(Math.min((block + 1) * blockSize, baseSize) / chunkSize) - 1 : -1
  }
}
