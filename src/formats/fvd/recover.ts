import { setBit, setBits } from './bits.js'
import { SECTOR } from './layout.js'
import type { ReplayTarget } from './replay.js'
import { type FvdState, sectorOfBlock, sectorOfChunk } from './state.js'

/**
 * Applies to table and bitmap in memory what a journal says; where the image is open for writing, with marks for the
 * checkpoint that brings it to its place.
 */
export function memoryOf(state: FvdState): ReplayTarget {
  const { bitmap, bitmapStale, description, table, tableStale } = state
  return {
    setEntry(chunk, entry) {
      table[chunk] = entry
      if (description.writable) setBit(tableStale, sectorOfChunk(chunk))
    },
    setBlocks(first, end) {
      setBits(bitmap, first, end)
      if (!description.writable) return
      for (let sector = sectorOfBlock(first); sector <= sectorOfBlock(end - 1); sector++) {
        setBit(bitmapStale, sector)
      }
    },
  }
}

/** No record counts any more; durable when it returns. What they said is in its place, or is to be forgotten. */
export function wipeJournal({ description, file, geometry }: FvdState): void {
  if (geometry.journalSectors === 0) return
  file.zero(description.shape.journalOffset, geometry.journalSectors * SECTOR)
  file.sync()
}
