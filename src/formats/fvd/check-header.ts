import type { Findings } from './check-findings.js'
import type { FvdHeader } from './header.js'
import { FIELDS, type RawHeader } from './layout.js'
import { profileFault } from './profile-area.js'

const WRITE_UPDATES: readonly string[] = ['', 'no', 'writethrough', 'writeback', 'writenocache']

/** Where the header's words on the profile lie, next to each other. */
export const PROFILE_FIELDS = { at: FIELDS.prefetch_profile_offset.at, length: 16 } as const

/**
 * What readHeader() lets pass, because no byte of the guest depends on it, and is wrong all the same. Returns
 * whether the header must forget its profile: who recorded or read one there would meet something else.
 */
export function checkHeader(header: FvdHeader, fileSize: number, findings: Findings): boolean {
  const { raw, dataFile } = header
  noteContradictions(raw, findings)
  if (raw.need_zero_init === 1 && raw.compact_image === 0) {
    const where = dataFile === null ? 'the image' : 'the data file'
    findings.note(
      `need_zero_init is 1: what was never written reads as zeros, so ${where} must not lie on a device with old contents`,
    )
  }
  const fault = profileFault(header, fileSize)
  if (fault === null) return false
  findings.corruption(`the prefetch profile ${fault}`, 'the header names none any more')
  return true
}

function noteContradictions(raw: RawHeader, findings: Findings): void {
  for (const direction of ['read', 'write'] as const) {
    const [least, most] = [
      `prefetch_min_${direction}_throughput`,
      `prefetch_max_${direction}_throughput`,
    ] as const
    if (raw[least] > raw[most]) findings.note(`${least} is ${raw[least]}, more than ${most}, ${raw[most]}`)
  }
  if (raw.prefetch_perf_calc_alpha > 100) {
    findings.note(`prefetch_perf_calc_alpha is ${raw.prefetch_perf_calc_alpha}, more than 100 percent`)
  }
  if (!WRITE_UPDATES.includes(raw.write_updates_base_img)) {
    findings.note(`write_updates_base_img is '${raw.write_updates_base_img}', which is no way to do that`)
  }
}
