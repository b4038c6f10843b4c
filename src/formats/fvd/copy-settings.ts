import { ImageError } from '../../errors.js'
import type { CopySettings, WriteBase } from '../copy-settings.js'
import { contradiction, PREFETCH_LIMIT } from './contradictions.js'
import type { FieldName, RawHeader } from './layout.js'

/** What a header says of copying from the base, and what is wrong with it. */
export interface HeaderCopying {
  /** Copying that cannot work is off in them. */
  readonly settings: CopySettings
  /** Why prefetching, or copy-on-read, cannot work as the header has it, with the next step; null when it can. */
  readonly prefetchFault: string | null
  readonly copyOnReadFault: string | null
  /** The faults that keep the header from having what it asks for. */
  readonly warnings: readonly string[]
}

const KIB = 1024
/** More threads than that help nobody. */
const SLOT_LIMIT = 1024

/** The header of an image with a base, by itself right or wrong: nothing is thrown. */
export function copySettingsOf(raw: RawHeader, path: string): HeaderCopying {
  const said = (fault: string | null): string | null => (fault === null ? null : `${path}: ${fault}`)
  const prefetchFault = said(findPrefetchFault(raw, path))
  const copyOnReadFault = said(findCopyOnReadFault(raw, path))
  const prefetchDelay = delayOf(raw.prefetch_start_delay)
  const profileDelay = delayOf(raw.profile_directed_prefetch_start_delay)
  const warnings: string[] = []
  if (prefetchFault !== null && (prefetchDelay ?? profileDelay) !== null) warnings.push(prefetchFault)
  if (copyOnReadFault !== null && raw.copy_on_read === 1) warnings.push(copyOnReadFault)
  return {
    prefetchFault,
    copyOnReadFault,
    warnings,
    settings: {
      copyOnRead: raw.copy_on_read === 1 && copyOnReadFault === null,
      outstanding: raw.max_outstanding_copy_on_read_data,
      prefetchDelay: prefetchFault === null ? prefetchDelay : null,
      slots: raw.num_prefetch_slots,
      pieceBytes: raw.bytes_per_prefetch,
      readMeasureTime: raw.prefetch_read_throughput_measure_time,
      writeMeasureTime: raw.prefetch_write_throughput_measure_time,
      averageWeight: raw.prefetch_perf_calc_alpha,
      leastReadRate: raw.prefetch_min_read_throughput * KIB,
      leastWriteRate: raw.prefetch_min_write_throughput * KIB,
      mostReadRate: raw.prefetch_max_read_throughput * KIB,
      mostWriteRate: raw.prefetch_max_write_throughput * KIB,
      pauseTime: raw.prefetch_throttle_time,
      recordProfile: raw.generate_prefetch_profile === 1,
      profileDelay: prefetchFault === null ? profileDelay : null,
      writeBase: writeBaseOf(raw.write_updates_base_img) ?? 'no',
    },
  }
}

/** An image whose header asks for writes to its base in a way that is not known must not be written. */
export function refuseUnknownWriteBase(raw: RawHeader, path: string): void {
  const mode = raw.write_updates_base_img
  if (writeBaseOf(mode) !== null) return
  throw new ImageError(
    'FORMAT_UNSUPPORTED',
    `${path}: write_updates_base_img is "${mode}", and how writes are to change the base then is not known here; say how with "rawmount update ${path} write_updates_base_img=no" (or =writethrough, =writeback), or open it read-only`,
  )
}

function writeBaseOf(mode: string): WriteBase | null {
  if (mode === '' || mode === 'no') return 'no'
  return mode === 'writethrough' || mode === 'writeback' ? mode : null
}

/** Seconds; null: off. */
function delayOf(seconds: number): number | null {
  return seconds > 0 ? seconds : null
}

function findPrefetchFault(raw: RawHeader, path: string): string | null {
  for (const [name, usual] of NOT_ZERO) {
    if (raw[name] === 0) return `${name} is 0, so nothing can be prefetched; ${set(path, `${name}=${usual}`)}`
  }
  if (raw.num_prefetch_slots > SLOT_LIMIT) {
    return `num_prefetch_slots is ${raw.num_prefetch_slots}, more than ${SLOT_LIMIT}; ${set(path, 'num_prefetch_slots=2')}`
  }
  if (raw.prefetch_perf_calc_alpha > 100) {
    return `prefetch_perf_calc_alpha is ${raw.prefetch_perf_calc_alpha}, more than 100 percent; ${set(path, 'prefetch_perf_calc_alpha=80')}`
  }
  const together = contradiction(raw, TOGETHER)
  return together === null ? null : `${together} (rawmount update ${path} FIELD=VALUE)`
}

function findCopyOnReadFault(raw: RawHeader, path: string): string | null {
  const { max_outstanding_copy_on_read_data: bytes, block_size: block } = raw
  const name = 'max_outstanding_copy_on_read_data'
  if (bytes < block) {
    const enough = Math.max(2_000_000, block)
    return `${name} is ${bytes}, less than one block of ${block}, so nothing that is read can be kept; ${set(path, `${name}=${enough}`)}`
  }
  if (bytes > PREFETCH_LIMIT) {
    return `${name} is ${bytes}, more than the ${PREFETCH_LIMIT} that may be held in memory; ${set(path, `${name}=2000000`)}`
  }
  return null
}

/** With what a new image has. */
const NOT_ZERO: readonly (readonly [FieldName, string])[] = [
  ['num_prefetch_slots', '2'],
  ['bytes_per_prefetch', '1M'],
  ['prefetch_read_throughput_measure_time', '100'],
  ['prefetch_write_throughput_measure_time', '100'],
  ['prefetch_max_read_throughput', '1000000000'],
  ['prefetch_max_write_throughput', '1000000000'],
]

const TOGETHER: readonly FieldName[] = [
  'num_prefetch_slots',
  'bytes_per_prefetch',
  'prefetch_min_read_throughput',
  'prefetch_min_write_throughput',
]

function set(path: string, change: string): string {
  return `set it with "rawmount update ${path} ${change}"`
}
