import { Geometry } from './geometry.js'
import type { FvdHeader } from './header.js'
import { ENTRY_LENGTH, HEADER_END, PAGE } from './layout.js'

/** Bytes of a profile entry: i64 offset in bytes, u32 length in units. */
export const PROFILE_ENTRY = 12

/** What is wrong with the profile that the header counts entries of; null when nothing is, or it counts none. */
export function profileFault(header: FvdHeader, fileSize: number): string | null {
  const { prefetch_profile_entries: entries } = header.raw
  return entries === 0 ? null : placeFault(header, fileSize, entries)
}

/** Why no profile can be written where the header has the place for one; null when one can. */
export function roomFault(header: FvdHeader, fileSize: number): string | null {
  return placeFault(header, fileSize, 1)
}

/** Bytes up to what comes behind the profile. roomFault() finds nothing. */
export function profileRoom(header: FvdHeader, fileSize: number): number {
  const { prefetch_profile_offset: offset } = header.raw
  const starts = areas(header).map(({ start }) => start)
  return Math.min(limitOf(header, fileSize), ...starts.filter(start => start > offset)) - offset
}

function placeFault(header: FvdHeader, fileSize: number, entries: number): string | null {
  const { prefetch_profile_offset: offset, unit_of_PrefetchProfileEntry_len: unit } = header.raw
  const end = offset + entries * PROFILE_ENTRY
  const limit = limitOf(header, fileSize)
  if (unit === 0) return 'has lengths in units of 0 bytes'
  if (offset % PAGE !== 0) return `is at ${offset}, not a multiple of ${PAGE}`
  if (!(end <= limit)) return `ends at ${end}, behind the end of its place at ${limit}`
  const met = areas(header).find(({ start, length }) => start < end && offset < start + length)
  return met === undefined ? null : `at ${offset} to ${end} overlaps the ${met.name} at ${met.start}`
}

/** Where the last area may end: before the data, which may lie in another file. */
function limitOf({ dataFile, shape }: FvdHeader, fileSize: number): number {
  return dataFile === null ? Math.min(shape.dataOffset, fileSize) : fileSize
}

/** The other areas in use. */
function areas({ raw, shape }: FvdHeader): { name: string; start: number; length: number }[] {
  const { chunks } = new Geometry(shape)
  return [
    { name: 'header', start: 0, length: HEADER_END },
    { name: 'bitmap', start: shape.bitmapOffset, length: shape.baseSize > 0 ? raw.bitmap_size : 0 },
    { name: 'table', start: shape.tableOffset, length: chunks * ENTRY_LENGTH },
    { name: 'journal', start: shape.journalOffset, length: shape.journalSize },
  ].filter(({ length }) => length > 0)
}
