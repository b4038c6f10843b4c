import test from 'ava'
import { RangeLock } from '../../src/shared/range-lock.js'
import { contend } from './contend.js'

test('increments under overlapping ranges from four threads are all counted', async t => {
  const cells = 8
  const rounds = 10_000
  const words = new SharedArrayBuffer(cells * 8)
  await contend({ kind: 'range', lock: RangeLock.allocate(), words, rounds }, 4)
  let expected = 0
  for (let seed = 0; seed < 4; seed++) {
    for (let round = 0; round < rounds; round++) {
      const first = (round * 7 + seed * 3) % cells
      expected += Math.min(cells - 1, first + (round % 3)) - first + 1
    }
  }
  t.is(
    new Float64Array(words).reduce((sum, value) => sum + value, 0),
    expected,
  )
})

test('ranges that only touch are held at the same time', t => {
  const locks = new RangeLock(RangeLock.allocate())
  const first = locks.acquire(0, 4096)
  const second = locks.acquire(4096, 8192)
  t.not(first, second)
  locks.release(first)
  locks.release(second)
})

test('a range above 2^32 is as good as one below', t => {
  const locks = new RangeLock(RangeLock.allocate())
  const slot = locks.acquire(2 ** 45, 2 ** 45 + 1)
  locks.release(slot)
  t.is(locks.acquire(2 ** 45, 2 ** 45 + 1), slot)
})

test('an empty range is refused', t => {
  const locks = new RangeLock(RangeLock.allocate())
  t.throws(() => locks.acquire(5, 5), { instanceOf: RangeError })
})
