import { roundUp } from '../../bytes.js'
import { ImageError } from '../../errors.js'
import { switchHeader } from './header-switch.js'
import { ENTRY_LENGTH, PAGE, type RawHeader, SECTOR } from './layout.js'
import { newTable } from './resize-table.js'
import { FIXED, isFixedSize, type ResizedFile } from './resized-file.js'

/** Entries that one sector of the journal takes in an image with a base: what the journal's least size comes from. */
const ENTRIES_OF_RECORD = 121
/** The journal does not become smaller than this to make room for the table. */
const COMFORTABLE_JOURNAL = 1 << 20

/** @see resize.ts */
export function grow(resized: ResizedFile, size: number): void {
  const { data, file, geometry, header } = resized
  resized.zeroBehind(geometry.size, size)
  if (!geometry.compact) extendData(resized, header.shape.dataOffset + size)
  data.sync()
  const changes = geometry.compact ? growTable(resized, Math.ceil(size / geometry.chunkSize)) : {}
  file.sync()
  switchHeader(file, { ...changes, virtual_disk_size: size })
  giveBackAreas(resized, changes)
}

/** Where the table and the journal were that were moved elsewhere. */
function giveBackAreas({ file, geometry, header }: ResizedFile, changes: Partial<RawHeader>): void {
  const { journalOffset, journalSize, tableOffset } = header.shape
  if (changes.table_offset === undefined) return
  file.zero(tableOffset, geometry.chunks * ENTRY_LENGTH)
  if (changes.journal_offset !== undefined) file.zero(journalOffset, journalSize)
  file.sync()
}

/** What an open for writing would do; here it can still be refused. */
function extendData({ data, file }: ResizedFile, end: number): void {
  if (data.size() >= end) return
  try {
    data.truncate(end)
  } catch (cause) {
    if (!isFixedSize(cause)) throw cause
    throw new ImageError(
      'INVALID',
      `${file.path}: its data file ${data.path} has ${data.size()} bytes, and ${FIXED}; make it at least ${end} bytes large first, an image with "rawmount resize"`,
      { errno: cause.errno, cause },
    )
  }
}

/**
 * A table for `chunks` chunks, the new ones empty: where the old one is, when what follows leaves room or is the journal
 * and can spare it; else a new one. Returns what the header is to say of it.
 */
function growTable(resized: ResizedFile, chunks: number): Partial<RawHeader> {
  const { journalOffset, journalSize, tableOffset } = resized.header.shape
  const end = tableOffset + chunks * ENTRY_LENGTH
  const leastJournal = journalSize === 0 ? 0 : leastJournalFor(chunks)
  const room = limitOf(resized, true)
  if (end <= room && journalSize >= leastJournal) {
    writeEmpty(resized, chunks, room)
    return {}
  }
  const behind = limitOf(resized, false)
  const start = roundUp(end, PAGE)
  const journalEnd = journalOffset + journalSize
  const rest = journalEnd - start
  const spares = rest >= Math.max(leastJournal, Math.min(journalSize, COMFORTABLE_JOURNAL))
  if (journalSize === 0 || journalOffset < tableOffset || journalEnd > behind || !spares)
    return newTable(resized, chunks, leastJournal)
  writeEmpty(resized, chunks, start)
  if (start < journalOffset) resized.file.zero(start, journalOffset - start)
  return { journal_offset: start, journal_size: rest }
}

/** The new entries, and the rest of their page as far as it belongs to the table. */
function writeEmpty(resized: ResizedFile, chunks: number, limit: number): void {
  const { tableOffset } = resized.header.shape
  const end = Math.min(limit, tableOffset + roundUp(chunks * ENTRY_LENGTH, PAGE))
  const stop = Math.floor((end - tableOffset) / ENTRY_LENGTH)
  resized.writeTable(tableOffset, resized.geometry.chunks, new Uint32Array(0), stop)
}

function leastJournalFor(chunks: number): number {
  return roundUp(Math.ceil(chunks / ENTRIES_OF_RECORD) * SECTOR, PAGE)
}

/** Where the first area behind the table begins, or the data; with or without the journal counted. */
function limitOf({ file, header }: ResizedFile, journal: boolean): number {
  const { raw, shape } = header
  const behind = [
    shape.baseSize > 0 ? shape.bitmapOffset : 0,
    journal && shape.journalSize > 0 ? shape.journalOffset : 0,
    raw.prefetch_profile_offset,
    header.dataFile === null ? shape.dataOffset : file.size(),
    raw.metadata_size,
  ]
  return Math.min(...behind.filter(offset => offset > shape.tableOffset))
}
