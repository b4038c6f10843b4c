import { IoBuffer } from '../../libc/io-buffer.js'
import type { StorageFile } from '../../storage/storage-file.js'
import { encodeField, FIELDS, type FieldName, HEADER_END, type RawHeader, SECTOR } from './layout.js'

/**
 * The header changes sector by sector, and a power cut may come between any two. Numbers can stand that: each is
 * right by itself, those that depend on each other lie in one sector. A file name with the format to open it as
 * cannot: they span sectors, and half of each is the name of another file, or a disk opened as what it is not. So
 * when such a group changes in more than one sector:
 *
 *   1. its name becomes one that leads nowhere (in its first sector, behind which nothing of it counts); barrier
 *   2. all other changes; barrier
 *   3. the first sectors of the names; barrier
 *
 * A cut then leaves the old header, the new one, or one that names no file: nothing opens with it, the name says why,
 * and another update mends it. Without such a group it is all one step.
 */
export const INTERRUPTED = 'interrupted-update:'

/** Texts that are right only as a whole, from the first field's start to the last field's end. */
interface Group {
  readonly head: FieldName
  readonly last: FieldName
  readonly stopgap: string
}

const GROUPS: readonly Group[] = [
  { head: 'base_img', last: 'base_img_fmt', stopgap: INTERRUPTED },
  { head: 'data_file', last: 'data_file_fmt', stopgap: INTERRUPTED },
  { head: 'add_storage_cmd', last: 'add_storage_cmd', stopgap: '' },
]

/** Brings the changes to the file, durably, in writes of its sectors that differ. */
export function rewriteHeader(file: StorageFile, changes: Partial<RawHeader>): void {
  const before = new IoBuffer(HEADER_END)
  file.read(before, 0, before.length, 0)
  const after = copyOf(before)
  for (const [name, value] of Object.entries(changes)) {
    encodeField(after.view, FIELDS[name as FieldName], value)
  }
  const torn = GROUPS.filter(
    ({ head, last }) => sectorsThatDiffer(before, after, FIELDS[head].at, endOf(last)).length > 1,
  )
  let present = before
  for (const next of [withStopgaps(before, torn), withStopgaps(after, torn), after]) {
    const sectors = sectorsThatDiffer(present, next, 0, HEADER_END)
    for (const sector of sectors) file.write(next, sector * SECTOR, SECTOR, sector * SECTOR)
    if (sectors.length > 0) file.sync()
    present = next
  }
}

/** Each stopgap and its NUL end within the sector in which the text begins. */
function withStopgaps(header: IoBuffer, groups: readonly Group[]): IoBuffer {
  const copy = copyOf(header)
  for (const { head, stopgap } of groups) {
    copy.bytes.set(new TextEncoder().encode(`${stopgap}\0`), FIELDS[head].at)
  }
  return copy
}

export function copyOf(header: IoBuffer): IoBuffer {
  const copy = new IoBuffer(header.length)
  copy.copyFrom(header, 0, header.length, 0)
  return copy
}

/** In [start, end), bytes. */
export function sectorsThatDiffer(a: IoBuffer, b: IoBuffer, start: number, end: number): number[] {
  const sectors: number[] = []
  for (let at = start; at < end; at++) {
    const sector = Math.floor(at / SECTOR)
    if (a.bytes[at] !== b.bytes[at] && sectors.at(-1) !== sector) sectors.push(sector)
  }
  return sectors
}

const LENGTHS = { u32: 4, i32: 4, flag: 4, u64: 8 } as const

function endOf(name: FieldName): number {
  const field = FIELDS[name]
  return field.at + (field.kind === 'text' ? field.length : LENGTHS[field.kind])
}
