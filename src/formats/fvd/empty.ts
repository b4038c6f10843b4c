import { roundDown } from '../../bytes.js'
import { IoBuffer } from '../../libc/io-buffer.js'
import type { StorageFile } from '../../storage/storage-file.js'
import { type FvdHeader, readHeader } from './header.js'
import { EMPTY, ENTRY_LENGTH, SECTOR } from './layout.js'
import { loadTable } from './load.js'
import { wipeJournal } from './recover.js'
import { describeState, FvdState } from './state.js'
import { INVALID, NO_STORAGE } from './survey.js'

/**
 * All blocks are in the base again, and the chunks that have nothing else lose their storage. What lies behind the part of
 * the disk that the bitmap covers can only be in the image, and stays there.
 *
 *   1. the journal is wiped: what its records say is not to come back, and names storage that is to be free; barrier
 *   2. the bitmap is cleared: each block is in the image or in the base, and both show the same; barrier
 *   3. the entries of chunks below the end of the bitmap's part, which nothing looks at any more; barrier
 *   4. the storage is given back, and the end of the file with it; barrier
 *
 * @see Format.empty
 */
export function empty(file: StorageFile, companion: StorageFile | null): void {
  const header = readHeader(file)
  if (!header.cleanShutdown || header.base === null) {
    throw new TypeError(`${file.path}: is not cleanly closed, or has no base: it cannot be emptied`)
  }
  const { shape } = header
  if (shape.baseSize === 0) return
  const state = new FvdState(describeState(shape, false, ''), file, companion ?? file)
  if (shape.compact) loadTable(file, state.geometry, state.table)
  wipeJournal(state)
  file.zero(shape.bitmapOffset, state.geometry.bitmapSectors * SECTOR)
  file.sync()
  if (shape.compact) freeChunks(state, header)
  else state.data.zero(shape.dataOffset, Math.min(shape.baseSize, shape.size))
  state.data.sync()
}

function freeChunks(state: FvdState, header: FvdHeader): void {
  const { data, description, file, geometry, table } = state
  const { baseSize, size } = geometry
  const freed = baseSize >= size ? geometry.chunks : Math.floor(baseSize / geometry.chunkSize)
  const ids = table.slice(0, freed).filter(entry => entry !== NO_STORAGE && entry !== INVALID)
  clearEntries(file, description.shape.tableOffset, freed)
  file.sync()
  let next = 0
  for (let chunk = freed; chunk < geometry.chunks; chunk++) next = Math.max(next, table[chunk]!)
  // A data file may be a device, or an image, whose length is fixed.
  const cuts = header.dataFile === null
  giveBack(state, cuts ? ids.filter(entry => entry <= next) : ids)
  if (cuts && data.size() > state.storageOf(next)) data.truncate(state.storageOf(next))
}

/** Entries are ids + 1. */
function giveBack(state: FvdState, entries: Uint32Array): void {
  entries.sort()
  const { data, geometry } = state
  for (let first = 0; first < entries.length; ) {
    let end = first + 1
    while (end < entries.length && entries[end] === entries[end - 1]! + 1) end++
    data.zero(state.storageOf(entries[first]! - 1), (end - first) * geometry.chunkSize)
    first = end
  }
}

/** Bytes that are written at a time. */
const PIECE = 1 << 20

/** In whole sectors: what else is in the last one stays. */
function clearEntries(file: StorageFile, tableOffset: number, count: number): void {
  const end = count * ENTRY_LENGTH
  const whole = roundDown(end, SECTOR)
  const buffer = new IoBuffer(PIECE)
  buffer.bytes.fill(0xff)
  for (let at = 0; at < whole; at += PIECE)
    file.write(buffer, 0, Math.min(PIECE, whole - at), tableOffset + at)
  if (end === whole) return
  file.read(buffer, 0, SECTOR, tableOffset + whole)
  for (let at = 0; at < end - whole; at += ENTRY_LENGTH) buffer.view.setUint32(at, EMPTY, true)
  file.write(buffer, 0, SECTOR, tableOffset + whole)
}
