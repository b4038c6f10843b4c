import { roundUp } from '../../bytes.js'
import { IoBuffer } from '../../libc/io-buffer.js'
import { ENTRIES_PER_SECTOR, ENTRY_LENGTH, ID_LIMIT, PAGE, type RawHeader } from './layout.js'
import type { ResizedFile } from './resized-file.js'
import { NO_STORAGE, survey } from './survey.js'

/** Bytes that are copied at a time. */
const PIECE = 1 << 20

const ZEROS = Buffer.alloc(PIECE)

/**
 * A table for `chunks` chunks behind all other areas, and behind it a new journal where the old one is smaller than
 * `leastJournal`. Returns what the header is to say of them.
 *
 * With a data file, there is room at the end of the image file. Else the data are in the way: the areas grow by whole
 * chunks, so that each storage stays where it is, under a smaller id.
 *
 *   1. chunks in the storage that becomes metadata are copied behind the last one; barrier
 *   2. their entries in the old table; barrier: whether one was written or not, it names a copy
 *   3. the new table, with the new ids, in storage that no entry names any more; a barrier is the caller's
 */
export function newTable(resized: ResizedFile, chunks: number, leastJournal: number): Partial<RawHeader> {
  const { data, file, header } = resized
  const { raw, shape } = header
  const tableBytes = roundUp(chunks * ENTRY_LENGTH, PAGE)
  const journal = shape.journalSize > 0 && shape.journalSize < leastJournal ? leastJournal : 0
  const entries = resized.table.slice()
  let start = roundUp(raw.metadata_size, PAGE)
  let end = start + tableBytes + journal
  let clear = end
  if (data === file) {
    const taken = Math.ceil((tableBytes + journal) / shape.chunkSize)
    start = shape.dataOffset
    // The data begin at the last whole sector up to the end of the areas, and go on doing so.
    end = raw.metadata_size + taken * shape.chunkSize
    clear = start + taken * shape.chunkSize
    evacuate(resized, entries, taken)
    for (const [chunk, entry] of entries.entries()) if (entry !== NO_STORAGE) entries[chunk] = entry - taken
  }
  file.zero(start, clear - start)
  if (file.size() < end) file.truncate(end)
  resized.writeTable(start, 0, entries, tableBytes / ENTRY_LENGTH)
  const moved = { metadata_size: end, table_offset: start }
  return journal === 0 ? moved : { ...moved, journal_offset: start + tableBytes, journal_size: journal }
}

/** No chunk has one of the first `count` ids; durable. */
function evacuate(resized: ResizedFile, entries: Uint32Array, count: number): void {
  const { data, file, geometry, header } = resized
  const { chunkSize } = geometry
  let next = Math.max(count, survey(entries, ID_LIMIT).next)
  const sectors = new Set<number>()
  for (const [chunk, entry] of entries.entries()) {
    if (entry === NO_STORAGE || entry > count) continue
    next++
    copy(resized, entry, next)
    entries[chunk] = next
    sectors.add(Math.floor(chunk / ENTRIES_PER_SECTOR))
  }
  if (sectors.size === 0) return
  const needed = header.shape.dataOffset + next * chunkSize
  if (data.size() < needed) data.truncate(needed)
  data.sync()
  for (const sector of sectors) {
    const first = sector * ENTRIES_PER_SECTOR
    const stop = Math.min(first + ENTRIES_PER_SECTOR, entries.length)
    resized.writeTable(header.shape.tableOffset, first, entries.subarray(first, stop), stop)
  }
  file.sync()
}

function copy(resized: ResizedFile, from: number, to: number): void {
  const { data, geometry } = resized
  const { chunkSize } = geometry
  const target = resized.storageOf(to)
  const buffer = new IoBuffer(Math.min(PIECE, chunkSize))
  data.zero(target, chunkSize)
  for (let at = 0; at < chunkSize; at += buffer.length) {
    const length = Math.min(buffer.length, chunkSize - at)
    const got = data.read(buffer, 0, length, resized.storageOf(from) + at)
    if (ZEROS.compare(buffer.bytes, 0, got, 0, got) !== 0) data.write(buffer, 0, got, target + at)
  }
}
