import test from 'ava'
import { allocatingOffsets, BLOCK, replayLog, sequentialOffsets } from '../../bench/pattern.js'

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

test('a sequence covers the disk from its start to its end, once', t => {
  t.deepEqual(sequentialOffsets(3 * CLUSTER, CLUSTER), [0, CLUSTER, 2 * CLUSTER])
})

test('a log asks for an fsync after every so many writes', t => {
  const lines = replayLog('/disk', [0, 1, 2, 3, 4], { fsyncEvery: 2, length: 512 }).split('\n').slice(3, -2)
  t.deepEqual(
    lines.map(line => line.slice('/disk '.length)),
    ['write 0 512', 'write 1 512', 'sync 0 0', 'write 2 512', 'write 3 512', 'sync 0 0', 'write 4 512'],
  )
})
