import test from 'ava'
import { Mapping } from '../../../src/formats/driver.js'
import { qed } from '../../../src/formats/qed/index.js'
import type { L2Cache } from '../../../src/formats/qed/l2-cache.js'
import { errno } from '../../../src/libc/errno.js'
import { Random } from '../../support/random.js'
import { makeImage, mapped, openForWriting, PATH, poke, writeCluster } from './images.js'

const CLUSTER = 4096
/** With 4 KiB clusters and tables of one, a slice maps 2 MiB, and the smallest cache has 16. */
const SLICE_SPAN = 2 << 20
const SLOTS = 16
const LARGE = { size: 256 << 20 }

test('a cache of 16 slots serves 128 slices, before and after they were given up', t => {
  const { file } = makeImage(LARGE)
  const driver = openForWriting(file)
  const places = new Map<number, number>()
  for (let offset = 0; offset < LARGE.size; offset += SLICE_SPAN) {
    const at = offset + CLUSTER * ((offset / SLICE_SPAN) % 512)
    places.set(at, writeCluster(driver, at))
  }
  for (let round = 0; round < 2; round++) {
    for (const [at, place] of places) t.is(mapped(driver, at, CLUSTER), `data ${place}+${CLUSTER}`)
  }
  driver.finish()
  const reader = qed.open(file, { writable: false, metadataCache: 0 }).driver
  for (const [at, place] of places) t.is(mapped(reader, at, CLUSTER), `data ${place}+${CLUSTER}`)
})

test('a slice that stays in use outlives a scan of all others', t => {
  const { file, storage } = makeImage(LARGE)
  const driver = openForWriting(file)
  for (let offset = 0; offset < LARGE.size; offset += SLICE_SPAN) writeCluster(driver, offset)
  driver.commit()
  mapped(driver, 0, CLUSTER)
  storage.forget()
  for (let offset = SLICE_SPAN; offset < LARGE.size; offset += SLICE_SPAN) {
    mapped(driver, offset, CLUSTER)
    mapped(driver, 0, CLUSTER)
  }
  const first = storage.calls.filter(({ kind, offset }) => kind === 'read' && offset === 3 * CLUSTER)
  t.true(storage.countCalls('read') >= 128 - SLOTS)
  t.deepEqual(first, [])
})

test('when too many slots are dirty a publish commits first, and a reader always finds a slot', t => {
  const { file, storage } = makeImage(LARGE)
  const driver = openForWriting(file)
  let commits = 0
  driver.commitForRoom = () => {
    commits++
    driver.commit()
  }
  for (let n = 0; n < (SLOTS * 3) / 4; n++) writeCluster(driver, n * SLICE_SPAN)
  t.is(commits, 0)
  storage.forget()
  for (let n = 0; n < 128; n++) mapped(driver, n * SLICE_SPAN, SLICE_SPAN)
  t.is(storage.countCalls('sync'), 0)
  writeCluster(driver, 12 * SLICE_SPAN)
  t.is(commits, 1)
  t.is(storage.countCalls('sync'), 2)
  t.true(driver.pending() > 0)
})

test('a publish that finds no room because the commit fails has published nothing', t => {
  const { file, storage } = makeImage(LARGE)
  const driver = openForWriting(file)
  for (let n = 0; n < 12; n++) writeCluster(driver, n * SLICE_SPAN)
  storage.failNext('write', errno.ENOSPC, { nth: 2 })
  const error = t.throws(() => writeCluster(driver, 12 * SLICE_SPAN)) as { errno?: number }
  t.is(error.errno, errno.ENOSPC)
  t.is(mapped(driver, 12 * SLICE_SPAN, CLUSTER), `absent ${CLUSTER}`)
  writeCluster(driver, 12 * SLICE_SPAN)
  driver.finish()
  const report = qed.check!(file, 'none')
  t.is(report.corruptions, 0)
  t.is(report.allocatedClusters, 13)
})

test('a slot that changes hands while it is read is read again', t => {
  const { file } = makeImage(LARGE)
  const first = openForWriting(file)
  const places = Array.from({ length: 128 }, (_, n) => writeCluster(first, n * SLICE_SPAN))
  first.finish()
  const image = qed.open(file, { writable: false, metadataCache: 0 })
  const other = qed.attach(image.describe(), file)
  t.is(mapped(image.driver, 0, CLUSTER), `data ${places[0]}+${CLUSTER}`)
  // Between the reader's look at the index and its look at the entry, everything else comes by.
  const { cache } = image.driver as unknown as { cache: L2Cache }
  const entry = cache.entry.bind(cache)
  let isFirst = true
  cache.entry = (slot, at) => {
    if (isFirst) for (let n = 1; n < 128; n++) mapped(other, n * SLICE_SPAN, CLUSTER)
    isFirst = false
    return entry(slot, at)
  }
  t.is(mapped(image.driver, 0, CLUSTER), `data ${places[0]}+${CLUSTER}`)
})

test('a slice in a running commit is not given up', t => {
  const { file, storage } = makeImage(LARGE)
  const driver = openForWriting(file)
  for (let n = 0; n < 128; n++) writeCluster(driver, n * SLICE_SPAN)
  driver.commit()
  const place = writeCluster(driver, CLUSTER)
  const seen: string[] = []
  storage.interfere = ({ kind }) => {
    if (kind === 'sync') {
      for (let n = 0; n < 256; n++) mapped(driver, (n % 128) * SLICE_SPAN, CLUSTER)
      seen.push(mapped(driver, CLUSTER, CLUSTER))
    }
    return 'proceed'
  }
  driver.commit()
  t.deepEqual(seen, Array(2).fill(`data ${place}+${CLUSTER}`))
})

test('a table that cannot be read is EIO for that request only', t => {
  const { file, storage } = makeImage()
  const driver = openForWriting(file)
  const place = writeCluster(driver, 0)
  driver.finish()
  const reader = qed.open(file, { writable: false, metadataCache: 0 }).driver
  storage.failNext('read', errno.EIO, { path: PATH })
  t.throws(() => mapped(reader, 0, CLUSTER), { message: /EIO/ })
  t.is(mapped(reader, 0, CLUSTER), `data ${place}+${CLUSTER}`)
})

const SIZE = 8 << 20
for (const [what, value] of [
  ['unaligned', 12289n],
  ['in the header', 0x1000n - 0x800n],
  ['the L1 table', 4096n],
  ['beyond the file', 1n << 40n],
  ['2^64 - 1', (1n << 64n) - 1n],
  ['2', 2n],
] as const) {
  test(`an entry that is ${what} is an error at its offset, and nowhere else`, t => {
    const { file } = makeImage({ size: SIZE })
    const driver = openForWriting(file)
    const first = writeCluster(driver, 0)
    writeCluster(driver, CLUSTER)
    const last = writeCluster(driver, 2 * CLUSTER)
    driver.finish()
    poke(file, 3 * CLUSTER + 8, value)
    const reader = qed.open(file, { writable: false, metadataCache: 0 }).driver
    t.is(mapped(reader, 0, SIZE), `data ${first}+${CLUSTER}`)
    t.throws(() => mapped(reader, CLUSTER + 1, 10), {
      code: 'CORRUPT',
      message: `${PATH}: the L2 table entry for guest offset 4097 points nowhere; run "rawmount check" on the image`,
    })
    t.is(mapped(reader, 2 * CLUSTER, SIZE), `data ${last}+${CLUSTER}`)
    poke(file, CLUSTER, value)
    const other = qed.open(file, { writable: false, metadataCache: 0 }).driver
    t.throws(() => mapped(other, 0, 1), { code: 'CORRUPT', message: /L1 table entry for guest offset 0/ })
    t.is(mapped(other, SLICE_SPAN, SIZE), `absent ${SIZE - SLICE_SPAN}`)
  })
}

test('a commit leaves the invalid entries beside its own as they are', t => {
  const { file } = makeImage({ size: SIZE })
  const damage = 0xdead_beef_1234_5677n
  let driver = openForWriting(file)
  writeCluster(driver, 0)
  driver.finish()
  poke(file, 3 * CLUSTER + 8, damage)
  poke(file, CLUSTER + 8, damage)
  driver = openForWriting(file)
  writeCluster(driver, 2 * CLUSTER)
  writeCluster(driver, 2 * SLICE_SPAN)
  driver.finish()
  const report = qed.check!(file, 'none')
  t.is(report.corruptions, 2)
  t.true(report.findings.every(line => !line.includes('entry 1 ') || line.includes(`${damage}`)))
})

test('a data cluster or table that the end of the file cuts is an error, not a row of zeros', t => {
  const { file } = makeImage({ size: SIZE })
  const driver = openForWriting(file)
  const first = writeCluster(driver, 0)
  const last = writeCluster(driver, CLUSTER)
  driver.finish()
  const end = file.size()
  file.truncate(end - 1)
  const reader = qed.open(file, { writable: false, metadataCache: 0 }).driver
  t.is(mapped(reader, 0, SIZE), `data ${first}+${CLUSTER}`)
  t.throws(() => mapped(reader, CLUSTER, 1), { code: 'CORRUPT', message: /L2/ })
  t.is(writeCluster(openForWriting(file), SLICE_SPAN), end)
  file.truncate(last - 1)
  const other = qed.open(file, { writable: false, metadataCache: 0 }).driver
  t.throws(() => mapped(other, 0, 1), { code: 'CORRUPT', message: /L1/ })
})

test('map() agrees with a plain map of what was published, cluster by cluster and in runs', t => {
  for (const [clusterSize, tableSize] of [
    [4096, 1],
    [4096, 2],
    [4096, 16],
    [8192, 4],
  ] as const) {
    const random = new Random(7)
    const { file } = makeImage({ size: 64 << 20, clusterSize, tableSize })
    const driver = openForWriting(file)
    const model = new Map<number, number | 'zero'>()
    const clusters = (64 << 20) / clusterSize
    for (let n = 0; n < 2000; n++) {
      const cluster = random.below(clusters)
      if (typeof model.get(cluster) === 'number') continue
      if (model.get(cluster) === undefined && random.chance(0.3)) {
        driver.publishZeros(cluster * clusterSize, clusterSize)
        model.set(cluster, 'zero')
      } else model.set(cluster, writeCluster(driver, cluster * clusterSize))
    }
    const run = new Mapping()
    for (let at = 0; at < 64 << 20; at += run.length) {
      driver.map(at, Number.MAX_SAFE_INTEGER, run)
      for (let n = 0; n < run.length / clusterSize; n++) {
        const expected = model.get(at / clusterSize + n)
        const found = run.where === 0 ? run.offset + n * clusterSize : run.where === 1 ? 'zero' : undefined
        if (found !== expected) t.fail(`cluster ${at / clusterSize + n} is ${found}, not ${expected}`)
      }
    }
    driver.finish()
    t.is(qed.check!(file, 'none').leaks, 0)
  }
})
