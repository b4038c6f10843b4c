import { IoBuffer } from '../../libc/io-buffer.js'
import { nextBit } from './bits.js'
import { PROFILE_FIELDS } from './check-header.js'
import { Checkpoint } from './checkpoint.js'
import { writeCleanShutdown } from './header.js'
import { SECTOR } from './layout.js'
import { wipeJournal } from './recover.js'
import type { FvdState } from './state.js'

/**
 * Writes of a repair, in an order that a crash may stop anywhere. What stands in memory is the mended table and bitmap,
 * with the journal in them; what was wrong before, a later check may find again, but nothing else.
 *
 * An image that was closed cleanly, whose journal says nothing to anybody until it is opened again:
 *
 *   1. when anything else follows: the journal is wiped, as old records may name what is mended or freed; barrier
 *   2. table and bitmap, each with its barrier
 *
 * One that was not: the journal counts, and is needed until all that it says stands in its place.
 *
 *   1. a barrier: what this program reads may be in the page cache only
 *   2. table, barrier, bitmap, barrier
 *   3. the journal is wiped; barrier
 *   4. clean_shutdown = 1; barrier
 *
 * Storage is only given back after all of this.
 */
export function saveMended(state: FvdState, wasClean: boolean): void {
  const { bitmapStale, file, tableStale } = state
  copyStale(tableStale, state.table, state.savedTable)
  copyStale(bitmapStale, state.bitmap, state.savedBitmap)
  if (!wasClean) {
    file.sync()
    new Checkpoint(state).run()
    wipeJournal(state)
    writeCleanShutdown(file, new IoBuffer(SECTOR), true)
    file.sync()
  } else if (nextBit(tableStale, 0) >= 0 || nextBit(bitmapStale, 0) >= 0) {
    wipeJournal(state)
    new Checkpoint(state).run()
  }
}

/** What a checkpoint writes; all else of the saved half stays untouched memory. */
function copyStale<Words extends Int32Array | Uint32Array>(stale: Int32Array, from: Words, to: Words): void {
  for (let sector = nextBit(stale, 0); sector >= 0; sector = nextBit(stale, sector + 1)) {
    const first = sector * WORDS_PER_SECTOR
    to.set(from.subarray(first, first + WORDS_PER_SECTOR), first)
  }
}

const WORDS_PER_SECTOR = SECTOR / 4

/** The last chunk that the file reaches into is in it as a whole; durable. */
export function extend({ data, description, geometry }: FvdState): void {
  const { dataOffset } = description.shape
  data.truncate(dataOffset + Math.ceil((data.size() - dataOffset) / geometry.chunkSize) * geometry.chunkSize)
  data.sync()
}

/** The header names no prefetch profile from now on; both words lie in one sector. */
export function dropProfile({ file }: FvdState): void {
  file.write(new IoBuffer(PROFILE_FIELDS.length), 0, PROFILE_FIELDS.length, PROFILE_FIELDS.at)
  file.sync()
}
