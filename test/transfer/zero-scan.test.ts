import test from 'ava'
import { IoBuffer } from '../../src/libc/io-buffer.js'
import { firstDifference, firstNonZero, isZero } from '../../src/transfer/zero-scan.js'

test('a single byte anywhere makes a range no zeros, and nothing beside the range does', t => {
  const buffer = new IoBuffer(8192)
  for (const [at, length] of [
    [0, 4096],
    [100, 4096],
    [513, 7],
    [10, 1],
    [3, 9],
  ] as const) {
    buffer.bytes.fill(0)
    buffer.bytes[at + length] = 1
    if (at > 0) buffer.bytes[at - 1] = 1
    t.true(isZero(buffer, at, length), `${at}, ${length}`)
    for (let i = 0; i < length; i++) {
      buffer.bytes[at + i] = 1
      if (isZero(buffer, at, length) || firstNonZero(buffer, at, length) !== i)
        t.fail(`${at}, ${length}: ${i}`)
      buffer.bytes[at + i] = 0
    }
  }
})

test('the first of several differences is found', t => {
  const [one, other] = [new IoBuffer(8192), new IoBuffer(8192)]
  t.is(firstDifference(one, other, 8192), -1)
  one.bytes[5000] = one.bytes[8191] = 1
  t.is(firstDifference(one, other, 8192), 5000)
  t.is(firstDifference(one, other, 5000), -1)
})
