import type { IoBuffer } from './io-buffer.js'
import { declare } from './library.js'

const memcmp = declare('int memcmp(intptr_t one, intptr_t other, size_t length)')

/** Whether `length` bytes are the same; both ranges must lie within their buffers. */
export function isEqual(
  one: IoBuffer,
  at: number,
  other: IoBuffer,
  otherAt: number,
  length: number,
): boolean {
  return memcmp(one.address + at, other.address + otherAt, length) === 0
}
