import test from 'ava'
import { Exposition } from '../../src/mount/status/exposition.js'
import { families } from './support/prometheus.js'

test('labels and help may hold any character', t => {
  const text = new Exposition()
  const path = 'C:\\disks\n"my disk"\t.qed, a="b"}'
  text.gauge('a_bytes', 'With \\ and\na line.', [[{ path }, 1]])
  const [family] = families(text.text())
  t.is(family!.help, 'With \\ and\na line.')
  t.deepEqual(family!.samples, [{ name: 'a_bytes', labels: { path }, value: 1 }])
})

test('the text keeps its size while the numbers grow', t => {
  const sizes = [0, 1, 0.5, 12345.678901, 1763733066.123, Number.MAX_SAFE_INTEGER, Number.NaN].map(value => {
    const text = new Exposition()
    text.gauge('a', 'A.', [[{}, value]])
    text.histogram('b', 'B.', [
      { labels: {}, bounds: [1, Number.POSITIVE_INFINITY], counts: [value, 0], sum: value },
    ])
    return text.text().length
  })
  t.is(new Set(sizes).size, 1, `${sizes}`)
})

test('buckets add up, and families without samples are left out', t => {
  const text = new Exposition()
  text.counter('none_total', 'None.', [])
  text.histogram('b_seconds', 'B.', [
    { labels: { op: 'x' }, bounds: [0.000001, 0.5, Number.POSITIVE_INFINITY], counts: [1, 2, 3], sum: 4.5 },
  ])
  const [family, ...others] = families(text.text())
  t.deepEqual(others, [])
  t.deepEqual(
    family!.samples.map(({ name, labels, value }) => [name, labels.le, value]),
    [
      ['b_seconds_bucket', '0.000001', 1],
      ['b_seconds_bucket', '0.500000', 3],
      ['b_seconds_bucket', '+Inf', 6],
      ['b_seconds_sum', undefined, 4.5],
      ['b_seconds_count', undefined, 6],
    ],
  )
})
