import type { FieldName, RawHeader } from './layout.js'
import { delay, flag, integer, type Reader, size, text, word } from './value-readers.js'

/** What an image must have for a field to mean something. */
export type Part = 'base' | 'table' | 'data file'

/** A header field that people set: at creation, and later by update(). */
export interface Setting {
  /** For people, with its unit. */
  readonly meaning: string
  readonly needs: Part
  /** In a new image that has what is needed; in one that has not, the field is 0 or empty. */
  readonly initial: number | string
  readonly read: Reader
}

const KIB = 1024
const MIB = 1024 * KIB
const GIB = 1024 * MIB

const ofBase = (meaning: string, initial: number | string, read: Reader): Setting => ({
  meaning,
  needs: 'base',
  initial,
  read,
})

const throughput = integer({ min: 0 })
const milliseconds = integer({ min: 1 })

/** The fields that both create and update set, in the order of the header. */
export const SETTINGS = {
  copy_on_read: ofBase('keep what is read from the base, on or off', 0, flag),
  max_outstanding_copy_on_read_data: ofBase(
    'bytes that copy-on-read may hold in memory; what is read beyond is not kept',
    2_000_000,
    size({ max: GIB }),
  ),
  data_file_fmt: {
    meaning: 'format of the data file',
    needs: 'data file',
    initial: 'raw',
    read: text(15, { empty: true }),
  },
  prefetch_start_delay: ofBase(
    'seconds after the open until the rest of the base is fetched; 0 and less: it is not',
    -1,
    delay,
  ),
  num_prefetch_slots: ofBase(
    'pieces of the base that are fetched at a time',
    2,
    integer({ min: 1, max: 1024 }),
  ),
  bytes_per_prefetch: ofBase(
    'bytes of such a piece, a multiple of block_size',
    MIB,
    size({ min: 512, max: GIB, unit: 512 }),
  ),
  prefetch_read_throughput_measure_time: ofBase(
    'milliseconds over which the throughput of the base is measured',
    100,
    milliseconds,
  ),
  prefetch_write_throughput_measure_time: ofBase(
    'milliseconds over which the throughput of the image is measured',
    100,
    milliseconds,
  ),
  prefetch_perf_calc_alpha: ofBase(
    'weight of the earlier measurements in the average, percent',
    80,
    integer({ max: 100 }),
  ),
  prefetch_min_read_throughput: ofBase(
    'KB/s; when the base is slower, it is busy, and fetching pauses',
    5120,
    throughput,
  ),
  prefetch_min_write_throughput: ofBase(
    'KB/s; when the image is slower, it is busy, and fetching pauses',
    5120,
    throughput,
  ),
  prefetch_max_read_throughput: ofBase('KB/s that fetching reads at most', 1_000_000_000, throughput),
  prefetch_max_write_throughput: ofBase('KB/s that fetching writes at most', 1_000_000_000, throughput),
  prefetch_throttle_time: ofBase('milliseconds that a pause of fetching lasts at most', 30_000, integer({})),
  storage_grow_unit: {
    meaning: 'bytes by which a compact image grows, at least chunk_size',
    needs: 'table',
    initial: 100 * MIB,
    read: size({ min: 4 * KIB, max: 2 ** 50 }),
  },
  add_storage_cmd: {
    meaning:
      'shell command that makes room when the storage is full; run only with "rawmount mount --allow-add-storage-cmd"',
    needs: 'table',
    initial: '',
    read: text(2047, { empty: true }),
  },
  generate_prefetch_profile: ofBase(
    'record what is read, to fetch it first another time, on or off',
    0,
    flag,
  ),
  unit_of_PrefetchProfileEntry_len: ofBase(
    'bytes in which the lengths of a profile are counted, a multiple of 512',
    4096,
    size({ min: 512, max: GIB, unit: 512 }),
  ),
  profile_directed_prefetch_start_delay: ofBase(
    'seconds after the open until what the profile names is fetched; 0 and less: it is not',
    -1,
    delay,
  ),
  write_updates_base_img: ofBase(
    'how writes change the base, too: no, writethrough, writeback',
    '',
    word('', 'no', 'writethrough', 'writeback'),
  ),
} as const satisfies { readonly [Name in FieldName]?: Setting }

export type SettingName = keyof typeof SETTINGS
export const SETTING_NAMES = Object.keys(SETTINGS) as SettingName[]

/** Names of files, as the header keeps them. */
export const fileName = text(1023, { empty: false })
export const formatName = text(15, { empty: true })

const HAS: Readonly<Record<Part, (header: RawHeader) => boolean>> = {
  base: header => header.base_img !== '' || header.all_data_in_fvd_img === 0,
  table: header => header.compact_image === 1,
  'data file': header => header.data_file !== '',
}

export function has(header: RawHeader, part: Part | null): boolean {
  return part === null || HAS[part](header)
}

/** Why a field cannot be set in an image without the part. */
export const LACKS: Readonly<Record<Part, string>> = {
  base: 'is about a base image, and this image has none',
  table: 'is about compact images, and this one is flat',
  'data file': 'is about a data file, and this image keeps its data in its own file',
}
