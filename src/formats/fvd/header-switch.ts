import { ImageError } from '../../errors.js'
import { IoBuffer } from '../../libc/io-buffer.js'
import type { StorageFile } from '../../storage/storage-file.js'
import {
  decodeHeader,
  encodeField,
  FIELDS,
  type FieldName,
  HEADER_AREA,
  HEADER_END,
  type RawHeader,
  SECTOR,
  VERSION,
} from './layout.js'

/**
 * Fields of the header that depend on each other lie in several sectors, and a power cut may come between any two. To
 * change them in one step, the sectors are written into a *record* first, in the free ones behind the header's last: a head,
 * which says which they are, and behind it each as it will be.
 *
 *   1. the head is emptied, and the sectors are written behind it; barrier
 *   2. the version in the header's first sector becomes IN_CHANGE, which keeps away who does not know of records, and the
 *      head is written; barrier: with both the header is the new one, with one it is the old one
 *   3. the header's other sectors; barrier
 *   4. the first sector, with the version as it was; barrier: the record does not count any more
 *
 * Who reads a header IN_CHANGE takes the sectors of the record, if it is one (readSwitch), and who writes such an image
 * does steps 3 and 4 first (settleHeader). Fields that share a sector need none of that: one write changes them.
 */
export const IN_CHANGE = 0x5a525601

/** Where the record lies, and areas must not. */
export const RECORD = { at: HEADER_END, end: HEADER_AREA } as const

const RECORD_MAGIC = new TextEncoder().encode('FVD new sectors\n')
/** How many sectors a record takes, besides its head. */
const CAPACITY = (RECORD.end - RECORD.at) / SECTOR - 1

/** Durable when it returns. Fields that are left out stay. Throws ImageError where the file has no room for a record. */
export function switchHeader(file: StorageFile, changes: Partial<RawHeader>): void {
  settleHeader(file)
  const before = readSectors(file)
  const after = withChanges(before, changes)
  const sectors = sectorsThatDiffer(before, after)
  if (sectors.length <= 1) {
    writeSectors(file, after, sectors)
    return
  }
  mustHaveRoom(file.path, decodeHeader(before.view))
  const { head, body } = recordOf(after, sectors)
  file.write(body, 0, body.length, RECORD.at)
  file.sync()
  file.write(withChanges(before, { version: IN_CHANGE }), 0, SECTOR, 0)
  file.write(head, 0, SECTOR, RECORD.at)
  file.sync()
  settleHeader(file)
}

/** The header that counts, of one that is IN_CHANGE. */
export function readSwitch(file: StorageFile): RawHeader {
  return decodeHeader(switched(file, readSectors(file)).view)
}

/** Ends a change that a power cut has stopped; durable. To be called before anything else is written to the file. */
export function settleHeader(file: StorageFile): void {
  const before = readSectors(file)
  if (before.view.getUint32(FIELDS.version.at, true) !== IN_CHANGE) return
  const after = switched(file, before)
  const sectors = sectorsThatDiffer(before, after)
  writeSectors(
    file,
    after,
    sectors.filter(sector => sector > 0),
  )
  writeSectors(file, after, [0])
}

/** Throws ImageError INVALID where something lies where the record goes. */
export function mustHaveRoom(path: string, raw: RawHeader): void {
  const { bitmap_offset: bitmap, table_offset: table, journal_offset: journal } = raw
  const { metadata_size: end, prefetch_profile_offset: profile } = raw
  const first = Math.min(...[bitmap, table, journal, profile, end].filter(offset => offset > 0))
  if (first >= RECORD.end) return
  throw new ImageError(
    'INVALID',
    `${path}: has no free sectors behind its header, at ${RECORD.at}, which this change needs; make a new image with "rawmount convert"`,
  )
}

/** The sectors of the header that these changes touch. */
export function sectorsOf(file: StorageFile, changes: Partial<RawHeader>): number[] {
  const before = readSectors(file)
  return sectorsThatDiffer(before, withChanges(before, changes))
}

/** Sector by sector, where a cut in between does no harm. Durable when it returns. */
export function writeChanges(file: StorageFile, changes: Partial<RawHeader>): void {
  const before = readSectors(file)
  const after = withChanges(before, changes)
  writeSectors(file, after, sectorsThatDiffer(before, after))
}

/** `body`: with a head that is empty. */
function recordOf(header: IoBuffer, sectors: readonly number[]): { head: IoBuffer; body: IoBuffer } {
  if (sectors.length > CAPACITY) throw new RangeError(`${sectors.length} sectors of the header at once`)
  const head = new IoBuffer(SECTOR)
  head.bytes.set(RECORD_MAGIC)
  head.view.setUint32(RECORD_MAGIC.length, sectors.length, true)
  const body = new IoBuffer((1 + sectors.length) * SECTOR)
  for (const [index, sector] of sectors.entries()) {
    head.view.setUint32(RECORD_MAGIC.length + 4 + index * 4, sector, true)
    body.copyFrom(header, sector * SECTOR, SECTOR, (1 + index) * SECTOR)
  }
  return { head, body }
}

/** The header as the record makes it; as it was where there is none, which is so before step 2. */
function switched(file: StorageFile, header: IoBuffer): IoBuffer {
  const after = withChanges(header, {})
  const record = new IoBuffer(RECORD.end - RECORD.at)
  const length = file.read(record, 0, record.length, RECORD.at)
  for (const [index, sector] of sectorsIn(record, length).entries()) {
    after.copyFrom(record, (1 + index) * SECTOR, SECTOR, sector * SECTOR)
  }
  encodeField(after.view, FIELDS.version, VERSION)
  return after
}

/** None where it is no record, or a record cannot be so. */
function sectorsIn(record: IoBuffer, length: number): number[] {
  if (RECORD_MAGIC.some((byte, at) => record.bytes[at] !== byte)) return []
  const count = record.view.getUint32(RECORD_MAGIC.length, true)
  if (count > CAPACITY || (1 + count) * SECTOR > length) return []
  const sectors = Array.from({ length: count }, (_, index) =>
    record.view.getUint32(RECORD_MAGIC.length + 4 + index * 4, true),
  )
  return sectors.every(sector => sector < HEADER_END / SECTOR) ? sectors : []
}

/** A copy. */
function withChanges(header: IoBuffer, changes: Partial<RawHeader>): IoBuffer {
  const copy = new IoBuffer(header.length)
  copy.copyFrom(header, 0, header.length, 0)
  for (const [name, value] of Object.entries(changes)) {
    encodeField(copy.view, FIELDS[name as FieldName], value)
  }
  return copy
}

function readSectors(file: StorageFile): IoBuffer {
  const header = new IoBuffer(HEADER_END)
  file.read(header, 0, header.length, 0)
  return header
}

function sectorsThatDiffer(a: IoBuffer, b: IoBuffer): number[] {
  const sectors: number[] = []
  for (let at = 0; at < HEADER_END; at++) {
    const sector = Math.floor(at / SECTOR)
    if (a.bytes[at] !== b.bytes[at] && sectors.at(-1) !== sector) sectors.push(sector)
  }
  return sectors
}

/** Durable when it returns. */
function writeSectors(file: StorageFile, header: IoBuffer, sectors: readonly number[]): void {
  for (const sector of sectors) file.write(header, sector * SECTOR, SECTOR, sector * SECTOR)
  if (sectors.length > 0) file.sync()
}
