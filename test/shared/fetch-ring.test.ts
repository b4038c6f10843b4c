import test from 'ava'
import { IoBuffer } from '../../src/libc/io-buffer.js'
import { FetchRing } from '../../src/shared/fetch-ring.js'
import { seeded } from '../support/random.js'

const SECTOR = 512

/** Puts a range into the ring, every byte of it `value`. */
function put(ring: FetchRing, offset: number, length: number, value = 1): number {
  const entry = ring.reserve(offset, length)
  if (entry < 0) return entry
  ring.buffer.bytes.fill(value, ring.placeOf(entry), ring.placeOf(entry) + length)
  ring.ready(entry)
  return entry
}

test('what was put in is read from any offset within it, and stored in the order in which it came', t => {
  const memory = FetchRing.allocate(8 * SECTOR)
  const ring = new FetchRing(memory)
  put(ring, 4096, 2 * SECTOR, 7)
  put(ring, 0, SECTOR, 9)
  const other = new FetchRing(memory)
  const buffer = new IoBuffer(2 * SECTOR)
  t.is(other.copyOut(4096 + 100, 5000, buffer, 0), 2 * SECTOR - 100)
  t.is(buffer.bytes[0], 7)
  t.is(other.queued, 3 * SECTOR)
  const first = other.take()
  t.deepEqual([other.offset(first), other.length(first)], [4096, 2 * SECTOR])
  t.is(other.offset(other.take()), 0)
  t.is(other.take(), -1)
})

test('a range that is being stored is still read from the ring; one that is being read into it is not', t => {
  const ring = new FetchRing(FetchRing.allocate(8 * SECTOR))
  const filling = ring.reserve(0, SECTOR)
  const buffer = new IoBuffer(SECTOR)
  t.is(ring.copyOut(0, SECTOR, buffer, 0), 0)
  t.is(ring.gap(0, SECTOR), SECTOR)
  ring.ready(filling)
  t.is(ring.take(), filling)
  t.is(ring.copyOut(0, SECTOR, buffer, 0), SECTOR)
  ring.free(filling)
  t.is(ring.copyOut(0, SECTOR, buffer, 0), 0)
  t.is(ring.queued, 0)
})

test('the gap before what the ring has ends where that begins', t => {
  const ring = new FetchRing(FetchRing.allocate(8 * SECTOR))
  put(ring, 10 * SECTOR, 2 * SECTOR)
  t.is(ring.gap(8 * SECTOR, 8 * SECTOR), 2 * SECTOR)
  t.is(ring.gap(11 * SECTOR, 8 * SECTOR), 0)
  t.is(ring.gap(12 * SECTOR, 8 * SECTOR), 8 * SECTOR)
})

test('a full ring takes nothing, until the oldest range is freed', t => {
  const ring = new FetchRing(FetchRing.allocate(4 * SECTOR))
  const first = put(ring, 0, 2 * SECTOR)
  const second = put(ring, 8192, 2 * SECTOR)
  t.is(ring.reserve(65536, SECTOR), -1)
  t.is(ring.reserve(65536, 5 * SECTOR), -1)
  ring.free(second)
  // The room lies behind the oldest one, which is still there.
  t.is(ring.reserve(65536, SECTOR), -1)
  ring.free(first)
  t.not(ring.reserve(65536, 4 * SECTOR), -1)
})

test('whatever is put in, stored and freed, no two ranges share a byte, and each is read back whole', t => {
  const random = seeded(t)
  const ring = new FetchRing(FetchRing.allocate(16 * SECTOR))
  const buffer = new IoBuffer(8 * SECTOR)
  const present = new Map<number, { offset: number; length: number; value: number }>()
  let next = 0
  for (let n = 0; n < 5000; n++) {
    if (random.chance(0.55)) {
      const length = random.between(1, 6) * SECTOR
      const value = n % 255
      const entry = put(ring, next, length, value)
      if (entry >= 0) present.set(entry, { offset: next, length, value })
      else if (present.size === 0) return t.fail('an empty ring has no room')
      next += length
    } else if (present.size > 0) {
      const entry = random.pick([...present.keys()])
      const { offset, length, value } = present.get(entry)!
      if (ring.copyOut(offset, length, buffer, 0) !== length) return t.fail(`${offset} is not there`)
      if (!buffer.bytes.subarray(0, length).every(byte => byte === value)) return t.fail(`${offset} is torn`)
      ring.free(entry)
      present.delete(entry)
    }
  }
  const queued = [...present.values()].reduce((sum, { length }) => sum + length, 0)
  return t.is(ring.queued, queued)
})
