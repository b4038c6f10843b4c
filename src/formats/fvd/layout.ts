import { readU64, writeU64 } from '../../bytes.js'

/**
 * The FVD header as it lies in the file: packed, little-endian, 4336 bytes at offset 0. Fields keep the names of the
 * format, under which `rawmount info` shows and `rawmount update` changes them. No judgement here; header.ts holds
 * the values against each other and the file.
 *
 * @see docs/formats/fvd.md
 */
export const FIELDS = {
  magic: { at: 0, kind: 'u32' },
  version: { at: 4, kind: 'u32' },
  all_data_in_fvd_img: { at: 8, kind: 'flag' },
  /** Bytes. */
  virtual_disk_size: { at: 12, kind: 'u64' },
  /** Bytes: the end of the last area. */
  metadata_size: { at: 20, kind: 'u64' },
  base_img: { at: 28, kind: 'text', length: 1024 },
  base_img_fmt: { at: 1052, kind: 'text', length: 16 },
  /** Bytes. */
  base_img_size: { at: 1068, kind: 'u64' },
  bitmap_offset: { at: 1076, kind: 'u64' },
  /** Bytes. */
  bitmap_size: { at: 1084, kind: 'u64' },
  /** Bytes. */
  block_size: { at: 1092, kind: 'u32' },
  copy_on_read: { at: 1096, kind: 'flag' },
  /** Bytes. */
  max_outstanding_copy_on_read_data: { at: 1100, kind: 'u64' },
  data_file: { at: 1108, kind: 'text', length: 1024 },
  data_file_fmt: { at: 2132, kind: 'text', length: 16 },
  /** Seconds; 0 and less is off. */
  prefetch_start_delay: { at: 2148, kind: 'i32' },
  prefetch_profile_offset: { at: 2152, kind: 'u64' },
  prefetch_profile_entries: { at: 2160, kind: 'u64' },
  num_prefetch_slots: { at: 2168, kind: 'u32' },
  /** Bytes. */
  bytes_per_prefetch: { at: 2172, kind: 'u32' },
  /** Milliseconds, both. */
  prefetch_read_throughput_measure_time: { at: 2176, kind: 'u32' },
  prefetch_write_throughput_measure_time: { at: 2180, kind: 'u32' },
  /** Percent: the weight of the old average. */
  prefetch_perf_calc_alpha: { at: 2184, kind: 'u32' },
  /** KB/s, all four. */
  prefetch_min_read_throughput: { at: 2188, kind: 'u32' },
  prefetch_min_write_throughput: { at: 2192, kind: 'u32' },
  prefetch_max_read_throughput: { at: 2196, kind: 'u32' },
  prefetch_max_write_throughput: { at: 2200, kind: 'u32' },
  /** Milliseconds. */
  prefetch_throttle_time: { at: 2204, kind: 'u32' },
  compact_image: { at: 2208, kind: 'flag' },
  table_offset: { at: 2212, kind: 'u64' },
  /** Bytes, both. */
  chunk_size: { at: 2220, kind: 'u64' },
  storage_grow_unit: { at: 2228, kind: 'u64' },
  add_storage_cmd: { at: 2236, kind: 'text', length: 2048 },
  journal_offset: { at: 4284, kind: 'u64' },
  /** Bytes; 0 = no journal. */
  journal_size: { at: 4292, kind: 'u64' },
  clean_shutdown: { at: 4300, kind: 'flag' },
  need_zero_init: { at: 4304, kind: 'flag' },
  generate_prefetch_profile: { at: 4308, kind: 'flag' },
  /** Bytes. */
  unit_of_PrefetchProfileEntry_len: { at: 4312, kind: 'u32' },
  /** Seconds; 0 and less is off. */
  profile_directed_prefetch_start_delay: { at: 4316, kind: 'i32' },
  /** Empty or "no", "writethrough", "writeback", "writenocache". */
  write_updates_base_img: { at: 4320, kind: 'text', length: 16 },
} as const satisfies Readonly<Record<string, Field>>

/** A flag is a u32 that is 0 or 1. A text is padded with NULs, and ends at the first. */
export interface Field {
  readonly at: number
  readonly kind: 'u32' | 'i32' | 'u64' | 'flag' | 'text'
  readonly length?: number
}

export type FieldName = keyof typeof FIELDS
export type RawHeader = {
  [Name in FieldName]: (typeof FIELDS)[Name]['kind'] extends 'text' ? string : number
}

export const FIELD_NAMES = Object.keys(FIELDS) as FieldName[]

/** Bytes A9 F5 43 51. */
export const MAGIC = 0x5143f5a9
export const VERSION = 1

export const HEADER_LENGTH = 4336
/** What create reserves; areas begin behind it, and never before the end of the header's last sector. */
export const HEADER_AREA = 8192
export const HEADER_END = 4608

export const SECTOR = 512
/** Areas are as long as a multiple of this. */
export const PAGE = 4096

/** A table entry: u32. */
export const ENTRY_LENGTH = 4
export const ENTRIES_PER_SECTOR = SECTOR / ENTRY_LENGTH
/** In the file: the chunk has no storage. */
export const EMPTY = 0xffffffff
/** A mark of the program that wrote the entry; no part of the chunk's id. */
export const DIRTY = 0x80000000
/** Chunk ids are below this: EMPTY without its bit 31 is no id. */
export const ID_LIMIT = 0x7fffffff

export function decodeHeader(view: DataView): RawHeader {
  const header: Record<string, number | string> = {}
  for (const name of FIELD_NAMES) header[name] = decodeField(view, FIELDS[name])
  return header as RawHeader
}

export function encodeHeader(view: DataView, header: RawHeader): void {
  for (const name of FIELD_NAMES) encodeField(view, FIELDS[name], header[name])
}

function decodeField(view: DataView, { at, kind, length = 0 }: Field): number | string {
  switch (kind) {
    case 'u64':
      return readU64(view, at)
    case 'i32':
      return view.getInt32(at, true)
    case 'text': {
      const bytes = new Uint8Array(view.buffer, view.byteOffset + at, length)
      const end = bytes.indexOf(0)
      return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes.slice(0, end < 0 ? length : end))
    }
    default:
      return view.getUint32(at, true)
  }
}

/** `value` fits: whoever makes headers has seen to it. Throws RangeError for a text that is too long. */
export function encodeField(view: DataView, { at, kind, length = 0 }: Field, value: number | string): void {
  if (kind === 'text') {
    const text = new TextEncoder().encode(value as string)
    if (text.length >= length) throw new RangeError(`${text.length} bytes do not fit ${length}`)
    const bytes = new Uint8Array(view.buffer, view.byteOffset + at, length)
    bytes.fill(0)
    bytes.set(text)
  } else if (kind === 'u64') {
    writeU64(view, at, value as number)
  } else {
    view.setUint32(at, (value as number) >>> 0, true)
  }
}
