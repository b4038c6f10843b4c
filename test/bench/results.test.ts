import test from 'ava'
import { judge, speedup } from '../../bench/results.js'
import { copies, mounting, reads } from './support/example-results.js'

test('a speedup is the ratio to QEMU', t => {
  t.is(speedup(reads, 'rawmount')?.median, 3)
})

test('who was not measured has no speedup', t => {
  t.is(speedup(reads, 'raw'), null)
})

test('a cost is no speed', t => {
  t.is(speedup(mounting, 'rawmount'), null)
})

test('a ratio that is reached is met', t => {
  t.deepEqual(judge(reads, { times: 3, of: 'qemu' }), { wanted: '≥ 3 × QEMU', met: true, measured: '' })
})

test('a ratio that is not reached is short', t => {
  t.false(judge(reads, { times: 3.1, of: 'qemu' })?.met)
})

test('a ratio to the bare loop shows what it is, as no column does', t => {
  t.deepEqual(judge(copies, { times: 0.7, of: 'bare' }), {
    wanted: '≥ 0.7 × bare loop',
    met: false,
    measured: '0.50 ×',
  })
})

test('a cost must stay below its limit', t => {
  t.true(judge(mounting, { below: 251 })?.met)
  t.false(judge(mounting, { below: 250 })?.met)
  t.true(judge(mounting, { upTo: 250 })?.met)
})

test('a target of which a side is missing is not judged', t => {
  t.is(judge(reads, { times: 1, of: 'bare' }), null)
  t.is(judge({ ...mounting, samples: {} }, { below: 1 }), null)
})
