import test from 'ava'
import { median, ratio, summarize } from '../../bench/statistics.js'

test('the median of an odd number of values is the middle one', t => {
  t.is(median([9, 1, 10]), 9)
})

test('the median of an even number of values lies between the middle two', t => {
  t.is(median([4, 1, 2, 100]), 3)
})

test('values keep their order when a median is taken', t => {
  const values = [3, 1, 2]
  median(values)
  t.deepEqual(values, [3, 1, 2])
})

test('nothing has no median', t => {
  t.throws(() => median([]), { instanceOf: RangeError })
})

test('a summary has the median, the least and the most', t => {
  t.deepEqual(summarize([5, 1, 3]), { median: 3, min: 1, max: 5 })
})

test('a ratio is that of the medians, its spread that of single rounds', t => {
  // Round by round 2, 3 and 5; the medians are 60 and 20.
  t.deepEqual(ratio([20, 60, 150], [10, 20, 30]), { median: 3, min: 2, max: 5 })
})

test('rounds that one side lacks are refused', t => {
  t.throws(() => ratio([1, 2], [1]), { instanceOf: RangeError })
})
