import type { IoBuffer } from '../libc/io-buffer.js'
import { isEqual } from '../libc/memory.js'

/**
 * Finding zeros at memory speed: few bytes tell that most data is none, which saves the call; the call compares the range
 * with itself, shifted by one byte, which needs no second range of zeros.
 */
const PROBES = 8

/** Whether the range, which must lie within the buffer, is all zeros. */
export function isZero(buffer: IoBuffer, at: number, length: number): boolean {
  const { bytes } = buffer
  const step = length > PROBES ? Math.floor(length / PROBES) : 1
  for (let probe = at; probe < at + length; probe += step) if (bytes[probe] !== 0) return false
  return length <= PROBES || isEqual(buffer, at, buffer, at + 1, length - 1)
}

/** The first byte that is not zero, counted from `at`; -1 when there is none. */
export function firstNonZero(buffer: IoBuffer, at: number, length: number): number {
  if (isZero(buffer, at, length)) return -1
  for (let i = 0; i < length; i++) if (buffer.bytes[at + i] !== 0) return i
  return -1
}

/** The first byte that differs between the beginnings of two buffers; -1 when there is none. */
export function firstDifference(one: IoBuffer, other: IoBuffer, length: number): number {
  if (isEqual(one, 0, other, 0, length)) return -1
  for (let i = 0; i < length; i++) if (one.bytes[i] !== other.bytes[i]) return i
  return -1
}
