import test from 'ava'
import { IoBuffer } from '../../src/libc/io-buffer.js'

test('a part of one buffer is copied into another, shared memory included, and nothing beside it', t => {
  const source = new IoBuffer(new SharedArrayBuffer(8))
  source.bytes.set([1, 2, 3, 4, 5, 6, 7, 8])
  const target = new IoBuffer(6)
  target.copyFrom(source, 2, 3, 1)
  t.deepEqual([...target.bytes], [0, 3, 4, 5, 0, 0])
})

test('a copy beyond either end is refused, and copies nothing', t => {
  const source = new IoBuffer(8)
  source.bytes.fill(1)
  const target = new IoBuffer(6)
  for (const [from, length, at] of [
    [6, 3, 0],
    [0, 3, 4],
    [-1, 1, 0],
    [0, 1, -1],
  ] as const) {
    t.throws(() => target.copyFrom(source, from, length, at), { instanceOf: RangeError })
  }
  t.deepEqual([...target.bytes], [0, 0, 0, 0, 0, 0])
})

test('memory of a page or more begins with a page, so that large reads are not split', t => {
  for (const length of [4096, 5000, 1 << 20]) {
    const { address, bytes, view } = new IoBuffer(length)
    t.is(address % 4096, 0)
    t.is(bytes.length, length)
    t.is(view.byteLength, length)
    view.setUint8(length - 1, 7)
    t.is(bytes[length - 1], 7)
  }
})
