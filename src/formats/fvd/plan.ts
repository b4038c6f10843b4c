import { roundDown, roundUp } from '../../bytes.js'
import { ImageError } from '../../errors.js'
import type { CreateOptions } from '../format.js'
import { contradiction } from './contradictions.js'
import { AREA_LIMIT } from './header.js'
import {
  ENTRY_LENGTH,
  FIELD_NAMES,
  FIELDS,
  HEADER_AREA,
  MAGIC,
  PAGE,
  type RawHeader,
  SECTOR,
  VERSION,
} from './layout.js'
import { fileName, formatName, has, LACKS, SETTING_NAMES, SETTINGS } from './settings.js'
import { flag, flagWord, type Reader, size } from './value-readers.js'

/** What a new image will be: all of it is known to be possible. */
export interface Plan {
  readonly header: RawHeader
  /** The least bytes of zeros in the base that count as a hole; 0: holes are not looked for. */
  readonly leastHole: number
}

/** Options that lay out the file, and so are for create alone. */
export const LAYOUT_OPTIONS = {
  compact_image: 'give storage to chunks of the disk when they are first written, on or off (default off)',
  block_size:
    'bytes that move from the base to the image at a time, a multiple of 512 (default 512, doubled until the bitmap is at most 4M)',
  chunk_size: 'bytes that a compact image gives storage to at a time, a multiple of 4096 (default 1M)',
  journal_size:
    'bytes of the journal, in which changes of bitmap and table survive a crash; 0 for none (default 16M, or what a large table needs; 0 for a flat image without a base)',
  data_file:
    'file that has the data in place of the image file; named relative to it, made when it is missing',
  detect_sparse_hole:
    'look for zeros in the base that need not be read from there, on or off, or the least bytes of such a hole (default off)',
  profile_size:
    'bytes of the area for a recorded prefetch profile (default 0; 64K with generate_prefetch_profile=on)',
} as const

const KIB = 1024
const MIB = 1024 * KIB

const DEFAULT_CHUNK = MIB
const DEFAULT_JOURNAL = 16 * MIB
const DEFAULT_PROFILE = 64 * KIB
/** Up to this many bytes, a default block_size is not doubled to make the bitmap smaller. */
const COMFORTABLE_BITMAP = 4 * MIB
/** Entries of one sector of the journal, when a range of the bitmap stands behind them. */
const ENTRIES_OF_RECORD = 121
const MAX_U32 = 2 ** 32 - 1

const anySize = size({ max: Number.MAX_SAFE_INTEGER })
/** -1 is how the reference's tools say that there shall be none. */
const journalSize: Reader<number> = text => (text === '-1' ? 0 : anySize(text))
const holeSize: Reader<number> = text => flagWord(text) ?? anySize(text)

/** Throws ImageError INVALID for what cannot be, with the image's path in front. */
export function planImage(path: string, options: CreateOptions): Plan {
  const given = new Given(path, options.options)
  const header = emptyHeader()
  header.virtual_disk_size = checkSize(given, options.size)
  planBase(given, header, options)
  planTable(given, header)
  planDataFile(given, header)
  planSettings(given, header)
  placeAreas(given, header)
  const fault = contradiction(header, FIELD_NAMES)
  if (fault !== null) throw given.refuse(fault)
  return { header, leastHole: planHoles(given, header, options) }
}

/** The -o options. */
class Given {
  constructor(
    private readonly path: string,
    private readonly options: ReadonlyMap<string, string>,
  ) {}

  has(name: string): boolean {
    return this.options.has(name)
  }

  read<T extends number | string>(name: string, reader: Reader<T>): T | null {
    const text = this.options.get(name)
    return text === undefined ? null : this.readText(name, text, reader)
  }

  readText<T extends number | string>(name: string, text: string, reader: Reader<T>): T {
    try {
      return reader(text)
    } catch (cause) {
      throw new ImageError('INVALID', `${this.path}: ${name} ${(cause as Error).message}`, { cause })
    }
  }

  refuse(what: string): ImageError {
    return new ImageError('INVALID', `${this.path}: ${what}`)
  }
}

function emptyHeader(): RawHeader {
  const fields = FIELD_NAMES.map(name => [name, FIELDS[name].kind === 'text' ? '' : 0])
  return { ...(Object.fromEntries(fields) as RawHeader), magic: MAGIC, version: VERSION, clean_shutdown: 1 }
}

function checkSize(given: Given, size: number): number {
  if (!Number.isSafeInteger(size) || size < 0) throw given.refuse(`the size ${size} is impossible`)
  if (size % SECTOR !== 0) {
    throw given.refuse(`the size ${size} is not a multiple of 512; take ${roundUp(size, SECTOR)}`)
  }
  return size
}

function planBase(given: Given, header: RawHeader, { backing, base }: CreateOptions): void {
  const blockSize = given.read('block_size', size({ min: SECTOR, max: MAX_U32, unit: SECTOR }))
  if (backing === null) {
    if (blockSize !== null) throw given.refuse(`block_size ${LACKS.base}; name a base with -b`)
    header.all_data_in_fvd_img = 1
    return
  }
  header.base_img = given.readText('the name of the base', backing.name, fileName)
  header.base_img_fmt = given.readText('the format of the base', backing.format ?? '', formatName)
  const { virtual_disk_size: diskSize } = header
  header.base_img_size = base === null ? diskSize : Math.min(diskSize, roundDown(base.size, SECTOR))
  header.block_size = blockSize ?? comfortableBlock(header.base_img_size)
}

function comfortableBlock(baseSize: number): number {
  let block = SECTOR
  while (bitmapBytes(baseSize, block) > COMFORTABLE_BITMAP) block *= 2
  return block
}

function bitmapBytes(baseSize: number, block: number): number {
  return Math.ceil(Math.ceil(baseSize / block) / 8)
}

function planTable(given: Given, header: RawHeader): void {
  header.compact_image = given.read('compact_image', flag) ?? 0
  const chunk = given.read('chunk_size', size({ min: PAGE, max: 2 ** 40, unit: PAGE }))
  if (header.compact_image === 1) header.chunk_size = chunk ?? DEFAULT_CHUNK
  else if (chunk !== null) throw given.refuse(`chunk_size ${LACKS.table}; say compact_image=on`)
}

function planDataFile(given: Given, header: RawHeader): void {
  header.data_file = given.read('data_file', fileName) ?? ''
  if (header.data_file === '' && given.has('data_file_fmt')) {
    throw given.refuse(`data_file_fmt ${LACKS['data file']}; name one with data_file`)
  }
}

const NEXT_STEP = {
  base: 'name a base with -b',
  table: 'say compact_image=on',
  'data file': 'name one with data_file',
} as const

function planSettings(given: Given, header: RawHeader): void {
  const fields = header as unknown as Record<string, number | string>
  for (const name of SETTING_NAMES) {
    const { needs, initial, read } = SETTINGS[name]
    const value = given.read<number | string>(name, read)
    if (has(header, needs)) fields[name] = value ?? initial
    else if (value !== null) throw given.refuse(`${name} ${LACKS[needs]}; ${NEXT_STEP[needs]}`)
  }
  if (has(header, 'base') && !given.has('bytes_per_prefetch')) {
    header.bytes_per_prefetch = roundUp(SETTINGS.bytes_per_prefetch.initial as number, header.block_size)
  }
  if (has(header, 'table') && !given.has('storage_grow_unit')) {
    header.storage_grow_unit = Math.max(header.storage_grow_unit, header.chunk_size)
  }
}

/** Header, bitmap, table, journal, profile: each on a page of its own. */
function placeAreas(given: Given, header: RawHeader): void {
  let end = HEADER_AREA
  const place = (bytes: number): number => {
    const start = end
    end += roundUp(bytes, PAGE)
    return start
  }
  if (has(header, 'base')) {
    const needed = bitmapBytes(header.base_img_size, header.block_size)
    checkArea(given, 'bitmap', needed, 'block_size')
    header.bitmap_offset = place(needed)
    header.bitmap_size = end - header.bitmap_offset
  }
  if (has(header, 'table')) {
    const needed = chunksOf(header) * ENTRY_LENGTH
    checkArea(given, 'table', needed, 'chunk_size')
    header.table_offset = place(needed)
  }
  const journal = planJournal(given, header)
  if (journal > 0) {
    header.journal_offset = place(journal)
    header.journal_size = end - header.journal_offset
  }
  const profile = planProfile(given, header)
  if (profile > 0) header.prefetch_profile_offset = place(profile)
  header.metadata_size = end
  const limit = end + header.virtual_disk_size + header.chunk_size + header.storage_grow_unit
  if (!Number.isSafeInteger(limit)) {
    throw given.refuse(`the image could grow to ${limit} bytes, more than 2^53; take smaller sizes`)
  }
}

function chunksOf({ virtual_disk_size: diskSize, chunk_size: chunk }: RawHeader): number {
  return chunk === 0 ? 0 : Math.ceil(diskSize / chunk)
}

function checkArea(given: Given, area: string, needed: number, grain: string): void {
  if (needed <= AREA_LIMIT) return
  throw given.refuse(
    `the ${area} would take ${needed} bytes, and at most ${AREA_LIMIT} are kept in memory; take a larger ${grain}`,
  )
}

function planJournal(given: Given, header: RawHeader): number {
  const chunks = chunksOf(header)
  const needed = Math.ceil(chunks / ENTRIES_OF_RECORD) * SECTOR
  const asked = given.read('journal_size', journalSize)
  if (asked === null) {
    return has(header, 'base') || has(header, 'table') ? Math.max(DEFAULT_JOURNAL, needed) : 0
  }
  if (asked > 0 && asked < Math.max(needed, SECTOR)) {
    throw given.refuse(
      needed > SECTOR
        ? `journal_size is ${asked}, too small for the ${chunks} chunks; take at least ${needed}, or 0 for none`
        : `journal_size is ${asked}, less than a sector; take at least ${SECTOR}, or 0 for none`,
    )
  }
  return asked
}

function planProfile(given: Given, header: RawHeader): number {
  const asked = given.read('profile_size', size({ max: AREA_LIMIT }))
  if (asked !== null && asked > 0 && !has(header, 'base')) {
    throw given.refuse(`profile_size ${LACKS.base}; name a base with -b`)
  }
  return asked ?? (header.generate_prefetch_profile === 1 ? DEFAULT_PROFILE : 0)
}

function planHoles(given: Given, header: RawHeader, { base }: CreateOptions): number {
  const least = given.read('detect_sparse_hole', holeSize) ?? 0
  if (least === 0) return 0
  if (!has(header, 'base')) throw given.refuse(`detect_sparse_hole ${LACKS.base}; name a base with -b`)
  if (base === null)
    throw given.refuse('detect_sparse_hole looks into the base, which -u leaves closed; drop either')
  header.need_zero_init = 1
  return least
}
