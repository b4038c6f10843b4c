import test from 'ava'
import { COMPARISONS, comparisonOf } from '../../bench/comparisons.js'
import { WORKLOADS } from '../../bench/workloads.js'

test('every workload has a name of its own', t => {
  const names = WORKLOADS.map(({ id }) => id)
  t.deepEqual(names, [...new Set(names)])
})

test('the workloads of a comparison stand together, so that its full images are made once', t => {
  const order = WORKLOADS.map(({ comparison }) => comparison).filter(
    (id, index, all) => id !== all[index - 1],
  )
  t.deepEqual(
    order,
    COMPARISONS.map(({ id }) => id),
  )
})

test('whoever is measured has a column', t => {
  for (const workload of WORKLOADS)
    for (const id of workload.lanes.keys()) t.true(comparisonOf(workload).columns.includes(id), workload.id)
})

test('both sides of a target are measured in its workload', t => {
  for (const { id, targets, lanes } of WORKLOADS) {
    for (const target of targets) {
      t.true(lanes.has(target.who), id)
      if ('times' in target) t.true(lanes.has(target.of), id)
    }
  }
})

test('who has a target is a subject of the comparison', t => {
  for (const workload of WORKLOADS)
    for (const { who } of workload.targets) t.true(comparisonOf(workload).subjects.includes(who), workload.id)
})
