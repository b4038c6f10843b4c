import test from 'ava'
import { markdownTable, number, spreadRows, summaryRows, textTable } from '../../bench/report-table.js'
import { fvd, qed, results } from './support/example-results.js'

test('numbers have three digits that mean something', t => {
  t.deepEqual([0, 0.418, 7.14, 9.99, 151.6, 1234, 15_349, 1_237_000].map(number), [
    '0.00',
    '0.42',
    '7.1',
    '10.0',
    '152',
    '1,230',
    '15,300',
    '1,240,000',
  ])
})

test('a row has medians, ratios with their spread, and what became of the target', t => {
  t.deepEqual(summaryRows(results, qed)[1], [
    'random reads',
    'IOPS',
    '–',
    '–',
    '11,000',
    '33,000',
    '5,500',
    '3.0 (2.5 to 3.3)',
    '0.50 (0.46 to 0.55)',
    '≥ 2.5 × QEMU: met',
  ])
})

test('each of several targets has its verdict', t => {
  t.is(summaryRows(results, qed)[2]?.at(-1), '≥ 2 × QEMU: met; ≥ 0.7 × bare loop: 0.50 ×, short')
})

test('costs have no ratio', t => {
  t.deepEqual(summaryRows(results, qed)[3]?.slice(4), ['20', '250', '–', '–', '–', '< 500 ms: met'])
})

test('the spread goes from the least to the most', t => {
  t.deepEqual(spreadRows(results, qed)[1]?.slice(4), ['10,000 to 12,000', '30,000 to 33,000', '5,500'])
})

test('a table of text has its columns one below the other', t => {
  const rows = [
    ['a', 'unit', '1', '2,000'],
    ['longer', 'MB/s', '20', '3'],
  ]
  t.is(textTable(rows), 'a       unit   1  2,000\nlonger  MB/s  20      3')
})

test('a table of Markdown aligns figures to the right', t => {
  const rows = [
    ['a', 'unit', 'b'],
    ['x', 'ms', '1'],
  ]
  t.is(markdownTable(rows), '| a | unit | b |\n| --- | --- | ---: |\n| x | ms | 1 |')
})

test('each comparison has columns of its own', t => {
  t.deepEqual(
    summaryRows(results, fvd).map(row => row.slice(0, -1)),
    [
      ['workload', '', 'raw file', 'QEMU qcow2', 'QED', 'FVD flat', 'FVD compact'].concat([
        'compact × qcow2',
        'flat × QED',
        'compact × QED',
      ]),
      ['writes of FVD', 'IOPS', '8,000', '1,000', '2,000', '1,000', '4,000'].concat([
        '4.0 (4.0 to 4.0)',
        '0.50 (0.50 to 0.50)',
        '2.0 (2.0 to 2.0)',
      ]),
    ],
  )
})

test('targets are words, and stand to the left', t => {
  t.regex(markdownTable(summaryRows(results, fvd)).split('\n')[1]!, /^\| --- \| --- (\| ---: ){8}\| --- \|$/)
})
