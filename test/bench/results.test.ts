import test from 'ava'
import { comparisonsOf, judge, speedup, workloadsOf } from '../../bench/results.js'
import { copies, fvd, fvdWrites, mounting, qed, reads, results } from './support/example-results.js'

test('a speedup is the ratio to QEMU', t => {
  t.is(speedup(reads, 'rawmount', 'qemu')?.median, 3)
})

test('who was not measured has no speedup', t => {
  t.is(speedup(reads, 'raw', 'qemu'), null)
})

test('a cost is no speed', t => {
  t.is(speedup(mounting, 'rawmount', 'qemu'), null)
})

test('a ratio that is reached is met', t => {
  t.deepEqual(judge(reads, { who: 'rawmount', times: 3, of: 'qemu' }), {
    wanted: '≥ 3 × QEMU',
    met: true,
    measured: '',
  })
})

test('a ratio that is not reached is short', t => {
  t.false(judge(reads, { who: 'rawmount', times: 3.1, of: 'qemu' })?.met)
})

test('a ratio to the bare loop shows what it is, as no column does', t => {
  t.deepEqual(judge(copies, { who: 'rawmount', times: 0.7, of: 'bare' }), {
    wanted: '≥ 0.7 × bare loop',
    met: false,
    measured: '0.50 ×',
  })
})

test('a cost must stay below its limit', t => {
  t.true(judge(mounting, { who: 'rawmount', below: 251 })?.met)
  t.false(judge(mounting, { who: 'rawmount', below: 250 })?.met)
  t.true(judge(mounting, { who: 'rawmount', upTo: 250 })?.met)
})

test('a target of which a side is missing is not judged', t => {
  t.is(judge(reads, { who: 'rawmount', times: 1, of: 'bare' }), null)
  t.is(judge({ ...mounting, samples: {} }, { who: 'rawmount', below: 1 }), null)
})

test('a target is for whom it names, and says so where several have one', t => {
  t.deepEqual(
    fvdWrites.targets.map(target => judge(fvdWrites, target)),
    [
      { wanted: 'FVD flat ≥ 0.95 × QED', met: false, measured: '' },
      { wanted: 'FVD compact ≥ 0.95 × QED', met: true, measured: '' },
      { wanted: 'FVD compact ≥ 0.7 × raw file', met: false, measured: '0.50 ×' },
    ],
  )
})

test('a workload belongs to one comparison', t => {
  t.deepEqual(workloadsOf(results, qed), [reads, copies, mounting])
  t.deepEqual(workloadsOf(results, fvd), [fvdWrites])
})

test('a comparison of which nothing was measured is not reported', t => {
  t.deepEqual(comparisonsOf({ ...results, workloads: [fvdWrites] }), [fvd])
})
