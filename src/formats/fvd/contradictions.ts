import { roundUp } from '../../bytes.js'
import type { FieldName, RawHeader } from './layout.js'
import { has } from './settings.js'

/** Fields that are all right by themselves, and cannot be together. */
interface Rule {
  readonly fields: readonly FieldName[]
  fault(header: RawHeader): string | null
}

/** Bytes in memory for what is on its way from the base. */
export const PREFETCH_LIMIT = 2 ** 30

const RULES: readonly Rule[] = [
  throughputs('prefetch_min_read_throughput', 'prefetch_max_read_throughput'),
  throughputs('prefetch_min_write_throughput', 'prefetch_max_write_throughput'),
  {
    fields: ['bytes_per_prefetch'],
    fault({ bytes_per_prefetch: piece, block_size: block }) {
      if (block === 0 || piece % block === 0) return null
      return `bytes_per_prefetch is ${piece}, not a multiple of the block_size of ${block}; take ${roundUp(piece, block)}`
    },
  },
  {
    fields: ['bytes_per_prefetch', 'num_prefetch_slots'],
    fault({ bytes_per_prefetch: piece, num_prefetch_slots: slots }) {
      if (piece * slots <= PREFETCH_LIMIT) return null
      return `num_prefetch_slots of ${slots} with bytes_per_prefetch of ${piece} take ${piece * slots} bytes of memory, more than ${PREFETCH_LIMIT}; take less of either`
    },
  },
  {
    fields: ['storage_grow_unit'],
    fault({ storage_grow_unit: unit, chunk_size: chunk }) {
      if (unit >= chunk) return null
      return `storage_grow_unit is ${unit}, less than the chunk_size of ${chunk}; take at least that`
    },
  },
  {
    fields: ['generate_prefetch_profile'],
    fault(header) {
      if (header.generate_prefetch_profile === 0 || header.prefetch_profile_offset > 0) return null
      return 'generate_prefetch_profile is on, but the image has no room for a profile; make one with profile_size'
    },
  },
  {
    fields: ['data_file', 'base_img'],
    fault(header) {
      if (!has(header, 'data file') || header.data_file !== header.base_img) return null
      return `data_file and base_img are the same file, ${header.data_file}; name two`
    },
  },
]

/** What is wrong with the fields together, as far as one of `changed` is concerned; null when nothing is. */
export function contradiction(header: RawHeader, changed: readonly string[]): string | null {
  for (const { fields, fault } of RULES) {
    const found = fields.some(name => changed.includes(name)) ? fault(header) : null
    if (found !== null) return found
  }
  return null
}

function throughputs(least: FieldName, most: FieldName): Rule {
  return {
    fields: [least, most],
    fault(header) {
      if (header[least] <= header[most]) return null
      return `${most} is ${header[most]}, less than the ${least} of ${header[least]}; give both`
    },
  }
}
