import { ImageError } from '../../errors.js'
import { IoBuffer } from '../../libc/io-buffer.js'
import type { StorageFile } from '../../storage/storage-file.js'
import { encodeField, FIELDS, HEADER_END, type RawHeader, SECTOR, VERSION } from './layout.js'
import { copyOf, sectorsThatDiffer } from './rewrite.js'

/**
 * Numbers of the header that depend on each other lie in several sectors, and a power cut may come between any two. To
 * change them in one step, they are written into a *record* first, in the free sector behind the header's last:
 *
 *   1. the record is emptied; barrier
 *   2. the version in the header's first sector becomes IN_CHANGE; barrier: who does not know of records keeps away
 *   3. the record with the new numbers; barrier: from now on the header is the new one
 *   4. the header's other sectors; barrier
 *   5. the first sector, with the version as it was; barrier: the record does not count any more
 *
 * Who reads a header IN_CHANGE takes the numbers of the record, if it is one (readSwitch), and who writes such an image
 * does steps 4 and 5 first (settleHeader). Numbers that share a sector need none of that: one write changes them.
 */
export const IN_CHANGE = 0x5a525601

/** Where the record lies, and areas must not. */
export const RECORD = { at: HEADER_END, end: HEADER_END + SECTOR } as const

const RECORD_MAGIC = new TextEncoder().encode('FVD new numbers\n')

/** What a record holds, each a u64 behind the magic, in this order. */
const NAMES = [
  'virtual_disk_size',
  'metadata_size',
  'base_img_size',
  'prefetch_profile_entries',
  'table_offset',
  'journal_offset',
  'journal_size',
] as const satisfies readonly (keyof RawHeader)[]

export type Switched = Partial<Pick<RawHeader, (typeof NAMES)[number]>>

/** Durable when it returns. Numbers that are left out stay. Throws ImageError where the file has no room for a record. */
export function switchHeader(file: StorageFile, raw: RawHeader, changes: Switched): void {
  const before = readSectors(file)
  const after = withNumbers(before, { ...pickNumbers(raw), ...changes })
  const sectors = sectorsThatDiffer(before, after, 0, HEADER_END)
  if (sectors.length <= 1) {
    writeSectors(file, after, sectors)
    return
  }
  mustHaveRoom(file.path, raw)
  file.write(new IoBuffer(SECTOR), 0, SECTOR, RECORD.at)
  file.sync()
  const marked = copyOf(before)
  encodeField(marked.view, FIELDS.version, IN_CHANGE)
  writeSectors(file, marked, [0])
  file.write(recordOf({ ...pickNumbers(raw), ...changes }), 0, SECTOR, RECORD.at)
  file.sync()
  settleHeader(file)
}

/** The header that counts, of one that is IN_CHANGE: `raw` is what its sectors say. */
export function readSwitch(file: StorageFile, raw: RawHeader): RawHeader {
  return { ...raw, version: VERSION, ...readRecord(file) }
}

/** Ends a change that a power cut has stopped; durable. To be called before anything else is written to the file. */
export function settleHeader(file: StorageFile): void {
  const before = readSectors(file)
  if (before.view.getUint32(FIELDS.version.at, true) !== IN_CHANGE) return
  const after = withNumbers(before, readRecord(file) ?? {})
  encodeField(after.view, FIELDS.version, VERSION)
  const sectors = sectorsThatDiffer(before, after, 0, HEADER_END)
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
    `${path}: has no free sector behind its header, at ${RECORD.at}, which a change of size needs; make a new image with "rawmount convert"`,
  )
}

function pickNumbers(raw: RawHeader): Required<Switched> {
  return Object.fromEntries(NAMES.map(name => [name, raw[name]])) as Required<Switched>
}

function recordOf(numbers: Required<Switched>): IoBuffer {
  const record = new IoBuffer(SECTOR)
  record.bytes.set(RECORD_MAGIC)
  for (const [index, name] of NAMES.entries())
    record.view.setBigUint64(RECORD_MAGIC.length + index * 8, BigInt(numbers[name]), true)
  return record
}

/** Null before step 3. */
function readRecord(file: StorageFile): Required<Switched> | null {
  const record = new IoBuffer(SECTOR)
  if (file.read(record, 0, SECTOR, RECORD.at) < SECTOR) return null
  if (RECORD_MAGIC.some((byte, at) => record.bytes[at] !== byte)) return null
  const numbers = NAMES.map((name, index) => [
    name,
    Number(record.view.getBigUint64(RECORD_MAGIC.length + index * 8, true)),
  ])
  return Object.fromEntries(numbers) as Required<Switched>
}

function withNumbers(header: IoBuffer, numbers: Switched): IoBuffer {
  const copy = copyOf(header)
  for (const [name, value] of Object.entries(numbers))
    encodeField(copy.view, FIELDS[name as keyof Switched], value)
  return copy
}

function readSectors(file: StorageFile): IoBuffer {
  const header = new IoBuffer(HEADER_END)
  file.read(header, 0, header.length, 0)
  return header
}

/** Durable when it returns. */
function writeSectors(file: StorageFile, header: IoBuffer, sectors: readonly number[]): void {
  for (const sector of sectors) file.write(header, sector * SECTOR, SECTOR, sector * SECTOR)
  if (sectors.length > 0) file.sync()
}
