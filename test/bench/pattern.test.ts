import test from 'ava'
import { allocatingOffsets, BLOCK, replayLog } from '../../bench/pattern.js'

const CLUSTER = 65536

test('a pattern has one block in each cluster', t => {
  const offsets = allocatingOffsets(1, 100 * CLUSTER, CLUSTER)
  t.deepEqual(
    offsets.map(offset => Math.floor(offset / CLUSTER)).toSorted((a, b) => a - b),
    Array.from({ length: 100 }, (_, index) => index),
  )
  t.true(offsets.every(offset => offset % BLOCK === 0))
})

test('a pattern is in no order, and the same for the same seed only', t => {
  const offsets = allocatingOffsets(1, 100 * CLUSTER, CLUSTER)
  t.notDeepEqual(
    offsets,
    offsets.toSorted((a, b) => a - b),
  )
  t.deepEqual(offsets, allocatingOffsets(1, 100 * CLUSTER, CLUSTER))
  t.notDeepEqual(offsets, allocatingOffsets(2, 100 * CLUSTER, CLUSTER))
})

test('a log names the file and every write', t => {
  t.is(
    replayLog('/disk', [8192, 0]),
    'fio version 2 iolog\n/disk add\n/disk open\n/disk write 8192 4096\n/disk write 0 4096\n/disk close\n',
  )
})
