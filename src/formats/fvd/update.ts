import { ImageError } from '../../errors.js'
import { PatchedFile } from '../../storage/patched-file.js'
import type { StorageFile } from '../../storage/storage-file.js'
import type { HeaderField, UpdatableHeader } from '../format.js'
import { contradiction } from './contradictions.js'
import { Geometry } from './geometry.js'
import { type FvdHeader, readHeader, readRawHeader } from './header.js'
import { settleHeader } from './header-switch.js'
import { FIELD_NAMES, type FieldName, HEADER_AREA, type RawHeader } from './layout.js'
import { loadBitmap, loadTable } from './load.js'
import { replay } from './replay.js'
import { rewriteHeader } from './rewrite.js'
import { fileName, formatName, has, LACKS, type Part, SETTINGS, type Setting } from './settings.js'
import { flag, word } from './value-readers.js'

type Updatable = Pick<Setting, 'meaning' | 'read'> & {
  readonly needs: Part | null
  /** The field names another file, or says how to open one. */
  readonly leads?: boolean
}

/** The fields that can be changed, besides those of SETTINGS. */
const UPDATABLE: { readonly [Name in FieldName]?: Updatable } = {
  ...SETTINGS,
  base_img: { meaning: 'the base, named relative to the image', needs: 'base', read: fileName, leads: true },
  base_img_fmt: {
    meaning: 'format of the base; empty: by its magic, else raw',
    needs: 'base',
    read: formatName,
    leads: true,
  },
  data_file: {
    meaning: 'the file that has the data, named relative to the image',
    needs: 'data file',
    read: fileName,
    leads: true,
  },
  data_file_fmt: { ...SETTINGS.data_file_fmt, leads: true },
  prefetch_profile_entries: {
    meaning: 'entries of the recorded profile; 0 forgets it',
    needs: 'base',
    read: text => Number(word('0')(text)),
  },
  clean_shutdown: {
    meaning:
      'on: bitmap and table are as they stand in the file; off: the journal is applied at the next open',
    needs: null,
    read: flag,
  },
  need_zero_init: {
    meaning: 'on: storage that was never written must read as zeros',
    needs: null,
    read: flag,
  },
}

/** Why the others cannot be changed. */
const FIXED: { readonly [Name in FieldName]?: string } = {
  magic: 'says what the file is',
  version: 'says how the file is laid out',
  all_data_in_fvd_img:
    'says that the base is not needed any more; it is set when the last block was copied from there',
  virtual_disk_size: 'has bitmap and table made for it; change it with "rawmount resize"',
  base_img_size: 'has the bitmap made for it; make a new image on that base',
}
const LAID_OUT = 'says how the file was laid out when it was made; make a new image'

/** @see Format.updatable */
export function updatable(file: StorageFile): UpdatableHeader {
  const header = readRawHeader(file)
  const fields: HeaderField[] = []
  for (const name of FIELD_NAMES) {
    const field = UPDATABLE[name]
    if (field === undefined || !has(header, field.needs)) continue
    fields.push({ name, meaning: field.meaning, value: header[name], leads: field.leads ?? false })
  }
  return {
    fields,
    backingSize: header.all_data_in_fvd_img === 1 ? 0 : header.base_img_size,
    dataSize: header.compact_image === 1 ? 0 : header.virtual_disk_size,
  }
}

/**
 * Checks each value by itself, then the header that will be, as an open would; then writes the sectors that differ
 * (rewrite.ts says what a power cut in between leaves).
 *
 * @see Format.update
 */
export function update(file: StorageFile, changes: ReadonlyMap<string, string>): void {
  const before = readRawHeader(file)
  const values = readChanges(file.path, before, changes)
  const names = Object.keys(values) as FieldName[]
  const after: RawHeader = { ...before, ...values }
  const fault = contradiction(after, names) ?? profileFault(before, after)
  if (fault !== null) throw refuse(file.path, fault)
  const trial = new PatchedFile(file, HEADER_AREA)
  settleHeader(trial)
  rewriteHeader(trial, values)
  const header = readHeader(trial)
  if (before.clean_shutdown === 0 && after.clean_shutdown === 1) mustHaveNothingToReplay(file, header)
  settleHeader(file)
  rewriteHeader(file, values)
}

function readChanges(
  path: string,
  header: RawHeader,
  changes: ReadonlyMap<string, string>,
): Partial<RawHeader> {
  const values: Record<string, number | string> = {}
  for (const [name, text] of changes) {
    const field = Object.hasOwn(UPDATABLE, name) ? UPDATABLE[name as FieldName] : undefined
    if (field === undefined) throw refuse(path, whyNot(name))
    const { needs, read } = field
    if (needs !== null && !has(header, needs)) throw refuse(path, `${name} ${LACKS[needs]}`)
    try {
      values[name] = read(text)
    } catch (cause) {
      throw refuse(path, `${name} ${(cause as Error).message}`, cause)
    }
  }
  return values as Partial<RawHeader>
}

function whyNot(name: string): string {
  if (!FIELD_NAMES.includes(name as FieldName)) {
    return `the header of FVD has no field "${name}"; "rawmount update" without one lists those that can be changed`
  }
  return `${name} cannot be changed: it ${FIXED[name as FieldName] ?? LAID_OUT}`
}

function profileFault(before: RawHeader, after: RawHeader): string | null {
  const { unit_of_PrefetchProfileEntry_len: unit, prefetch_profile_entries: entries } = before
  if (entries === 0 || unit === after.unit_of_PrefetchProfileEntry_len) return null
  return `unit_of_PrefetchProfileEntry_len is what the ${entries} entries of the recorded profile are counted in; forget it first with prefetch_profile_entries=0`
}

/** Saying that an image was closed cleanly throws away what its journal has. */
function mustHaveNothingToReplay(file: StorageFile, { shape }: FvdHeader): void {
  const geometry = new Geometry(shape)
  if (geometry.journalSectors === 0) return
  const table = new Uint32Array(geometry.chunks)
  const bitmap = new Int32Array(Math.ceil(geometry.blocks / 32))
  loadTable(file, geometry, table)
  loadBitmap(file, geometry, bitmap)
  let lost = 0
  const count = () => {
    lost++
  }
  const faults = replay(file, { geometry, table, bitmap }, { setEntry: count, setBlocks: count })
  if (lost + faults.length === 0) return
  throw new ImageError(
    'REFUSED',
    `${file.path}: clean_shutdown=1 would throw away ${lost + faults.length} changes that only the journal has; apply them with "rawmount check -r all"`,
  )
}

function refuse(path: string, what: string, cause?: unknown): ImageError {
  return new ImageError('INVALID', `${path}: ${what}`, cause === undefined ? {} : { cause })
}
