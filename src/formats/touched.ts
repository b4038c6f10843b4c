import type { BaseContents } from './format.js'

/** How many units of `unit` bytes, from the beginning of the disk on, have data in them. */
export function touchedUnits(data: BaseContents, unit: number): number {
  let count = 0
  let next = 0
  for (let at = 0; at < data.size; ) {
    const end = data.dataUntil(at)
    if (end <= at) {
      at = data.zerosUntil(at)
      continue
    }
    const first = Math.max(next, Math.floor(at / unit))
    const last = Math.floor((end - 1) / unit)
    count += Math.max(0, last - first + 1)
    next = Math.max(next, last + 1)
    at = end
  }
  return count
}
