import test from 'ava'
import { percentile } from '../../../bench/copying/percentile.js'

test('a percentile is the least value that so many values do not exceed', t => {
  const values = Array.from({ length: 100 }, (_, index) => 100 - index)
  t.is(percentile(values, 0.5), 50)
  t.is(percentile(values, 0.99), 99)
  t.is(percentile(values, 1), 100)
  t.is(percentile(values, 0), 1)
  t.is(percentile([3], 0.99), 3)
  t.is(percentile([1, 2, 3], 0.5), 2)
})

test('of no values there is none', t => {
  t.throws(() => percentile([], 0.5), { instanceOf: RangeError })
})
