import test from 'ava'
import type { Disk } from '../../src/disk/disk.js'
import { Counter, Counters, createCounters } from '../../src/fuse/counters.js'
import { renderStatus, type StatusFacts } from '../../src/mount/status.js'

const FACTS = {
  pid: 7,
  image: '/a: 1',
  chain: [{ format: 'raw', virtualSize: 512 }],
} as unknown as StatusFacts

test('the status has the same length whatever it counts, so that its size is true until it is read', t => {
  const counters = createCounters(1)
  const text = (pending: number) =>
    renderStatus(FACTS, { pending: () => pending, commits: 0 } as Disk, counters)
  const before = text(9)
  new Counters(counters, 0).add(Counter.bytesRead, Number.MAX_SAFE_INTEGER)
  const after = text(12_345)
  t.is(after.length, before.length)
  t.is(JSON.parse(after).metadata.pending, 12_345)
  t.is(JSON.parse(after).bytes.read, Number.MAX_SAFE_INTEGER)
  t.is(JSON.parse(after).image, '/a: 1')
})
