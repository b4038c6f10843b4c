import test from 'ava'
import { Place } from '../../../src/formats/driver.js'
import { QedCommit } from '../../../src/formats/qed/commit.js'
import type { QedDriver } from '../../../src/formats/qed/driver.js'
import { qed } from '../../../src/formats/qed/index.js'
import { errno } from '../../../src/libc/errno.js'
import type { SimulatedStorage } from '../../support/simulated-storage.js'
import { makeImage, mapped, needsCheck, openForWriting, peek, writeCluster } from './images.js'

const CLUSTER = 4096
const SLICE_SPAN = 2 << 20
const L1 = CLUSTER

/** What happened to the file: "write at 4096+512", "sync" … */
function story(storage: SimulatedStorage): string[] {
  const lines = storage.calls.filter(({ kind }) => kind !== 'read')
  return lines.map(({ kind, offset, length }) =>
    kind === 'sync' ? 'sync' : kind === 'truncate' ? `truncate ${offset}` : `${kind} ${offset}+${length}`,
  )
}

test('a commit: flag, size and new table before the first barrier, link before the second', t => {
  const { storage, file } = makeImage()
  const driver = openForWriting(file)
  const place = writeCluster(driver, 0)
  const table = place + CLUSTER
  storage.forget()
  driver.commit()
  t.deepEqual(story(storage), [
    'write 16+8',
    `truncate ${table + CLUSTER}`,
    `write ${table}+512`,
    'sync',
    `write ${L1}+512`,
    'sync',
  ])
})

test('a commit to a table that is in the file writes the changed sectors between the barriers', t => {
  const { storage, file } = makeImage()
  const driver = openForWriting(file)
  const table = writeCluster(driver, 0) + CLUSTER
  driver.commit()
  writeCluster(driver, 63 * CLUSTER)
  writeCluster(driver, 64 * CLUSTER)
  writeCluster(driver, 511 * CLUSTER)
  storage.forget()
  driver.commit()
  // The writes of the data have extended the file already.
  t.deepEqual(story(storage), ['sync', `write ${table}+1024`, `write ${table + 7 * 512}+512`, 'sync'])
})

test('with nothing pending a commit is one barrier, and clears NEED_CHECK once', t => {
  const { storage, file } = makeImage()
  const driver = openForWriting(file)
  driver.commit()
  t.deepEqual(story(storage), ['sync'])
  writeCluster(driver, 0)
  driver.commit()
  t.true(needsCheck(file))
  storage.forget()
  driver.commit()
  t.deepEqual(story(storage), ['write 16+8', 'sync'])
  t.false(needsCheck(file))
  storage.forget()
  driver.commit()
  t.deepEqual(story(storage), ['sync'])
  writeCluster(driver, CLUSTER)
  storage.forget()
  driver.commit()
  t.is(story(storage)[0], 'write 16+8')
  t.true(needsCheck(file))
})

test('an image that is opened and closed is not changed', t => {
  const { storage, file } = makeImage()
  openForWriting(file).finish()
  t.deepEqual(story(storage), ['sync'])
})

test('finish leaves a clean image: nothing pending, NEED_CHECK cleared, check finds nothing', t => {
  const { file } = makeImage()
  const driver = openForWriting(file)
  for (let n = 0; n < 20; n++) writeCluster(driver, n * 3 * CLUSTER)
  driver.publishZeros(5 << 20, 1 << 20)
  driver.finish()
  t.is(driver.pending(), 0)
  t.false(needsCheck(file))
  const report = qed.check!(file, 'none')
  t.deepEqual(report.findings, [])
  t.is(report.allocatedClusters, 20)
})

test('the file is not extended over clusters that were all taken back', t => {
  const { file } = makeImage()
  const driver = openForWriting(file)
  const place = new Place()
  driver.allocate(0, CLUSTER, place)
  t.true(place.fresh)
  const first = place.offset
  driver.abandon(place)
  driver.allocate(0, CLUSTER, place)
  t.is(place.offset, first)
  t.false(place.fresh, 'it may have been written')
  driver.publish(0, place)
  driver.allocate(CLUSTER, 2 * CLUSTER, place)
  t.true(place.fresh)
  place.file!.truncate(place.offset + place.length)
  driver.abandon(place)
  driver.finish()
  t.is(qed.check!(file, 'none').leaks, 0)
  t.is(file.size(), first + 2 * CLUSTER)
})

test('what is taken back in the middle of the file is handed out before the file grows, one by one', t => {
  const { file } = makeImage()
  const driver = openForWriting(file)
  const [a, b, c] = [new Place(), new Place(), new Place()]
  driver.allocate(0, 2 * CLUSTER, a)
  driver.allocate(2 * CLUSTER, CLUSTER, b)
  const taken = [a.offset, a.offset + CLUSTER]
  driver.abandon(a)
  for (let n = 0; n < 2; n++) {
    driver.allocate(0, 2 * CLUSTER, c)
    t.deepEqual([c.length, c.fresh], [CLUSTER, false])
    t.true(taken.splice(taken.indexOf(c.offset), 1).length === 1, `${c.offset}`)
  }
  driver.allocate(0, 2 * CLUSTER, c)
  t.deepEqual([c.offset, c.length, c.fresh], [b.offset + CLUSTER, 2 * CLUSTER, true])
})

test('clusters taken back in any order leave no leak when they end the file', t => {
  const { file } = makeImage()
  const driver = openForWriting(file)
  const places = [0, 1, 2, 3].map(n => {
    const place = new Place()
    driver.allocate(n * CLUSTER, CLUSTER, place)
    // The first takes a table, too, before the others.
    if (n === 0) driver.publish(0, place)
    return place
  })
  for (const n of [2, 1, 3]) driver.abandon(places[n]!)
  driver.finish()
  t.is(qed.check!(file, 'none').leaks, 0)
})

test('what is handed out ends with the slice, and with the disk', t => {
  const size = 3 * 1024 * 1024 + 512
  const { file } = makeImage({ size })
  const driver = openForWriting(file)
  const place = new Place()
  driver.allocate(SLICE_SPAN - CLUSTER, 10 * CLUSTER, place)
  t.is(place.length, CLUSTER)
  driver.allocate(size - 512, CLUSTER, place)
  t.is(place.length, 512)
  driver.publish(size - 512, place)
  t.is(mapped(driver, size - 512, CLUSTER), `data ${place.offset}+512`)
  driver.publishZeros(size - 512 - CLUSTER, CLUSTER + 512)
  t.is(mapped(driver, size - 512 - CLUSTER, 1 << 20), `zero ${CLUSTER + 512}`)
  t.throws(() => driver.allocate(1, CLUSTER, place), { instanceOf: RangeError })
  t.throws(() => driver.map(size, 1, null as never), { instanceOf: RangeError })
})

/** Writes in many tables, so that a commit has something of each kind: then `act`, then all must be there. */
function workload(): {
  storage: SimulatedStorage
  commit: () => void
  isPending: () => boolean
  verify: () => string[]
} {
  const { storage, file } = makeImage({ size: 16 << 20 })
  const driver = openForWriting(file)
  const expected = new Map<number, string>()
  const put = (offset: number) => {
    const place = writeCluster(driver, offset)
    expected.set(offset, `data ${place}+${CLUSTER}`)
  }
  put(0)
  put(SLICE_SPAN)
  driver.commit()
  put(64 * CLUSTER)
  put(2 * SLICE_SPAN)
  put(3 * SLICE_SPAN + 100 * CLUSTER)
  driver.publishZeros(4 * SLICE_SPAN, CLUSTER)
  expected.set(4 * SLICE_SPAN, `zero ${CLUSTER}`)
  const verify = () => {
    const reader = qed.open(file, { writable: false, metadataCache: 0 }).driver
    const wrong = [...expected].filter(([offset, where]) => mapped(reader, offset, CLUSTER) !== where)
    const { corruptions, leaks } = qed.check!(file, 'none')
    return [...wrong.map(([offset]) => `offset ${offset}`), ...(corruptions + leaks > 0 ? ['check'] : [])]
  }
  return { storage, commit: () => driver.commit(), isPending: () => driver.pending() > 0, verify }
}

test('a commit that fails at any call leaves everything pending, and the next one succeeds', t => {
  for (let nth = 1; ; nth++) {
    const { storage, commit, isPending, verify } = workload()
    storage.failNext('any', errno.ENOSPC, { nth })
    try {
      commit()
    } catch {
      t.true(isPending(), `call ${nth}`)
      commit()
      t.deepEqual(verify(), [], `call ${nth}`)
      continue
    }
    t.true(nth > 5, 'every call was tried')
    return
  }
})

test('more than fits one batch is committed in several, one barrier each and one more', t => {
  const { storage, file } = makeImage({ size: 64 << 20 })
  const driver = openForWriting(file, 1 << 20)
  const offsets = Array.from({ length: 32 * 4 }, (_, n) => n * 128 * CLUSTER)
  const places = offsets.map(offset => writeCluster(driver, offset))
  storage.forget()
  const { state } = driver as unknown as QedDriver
  // 32 slices of 4 dirty sectors, and one sector of L1.
  new QedCommit(state, 16).run()
  t.is(storage.countCalls('sync'), 12)
  t.is(driver.pending(), 0)
  const syncs =
    storage.calls
      .map(({ kind }) => kind)
      .join(' ')
      .split('sync').length - 1
  const linkAt = storage.calls.findIndex(({ kind, offset }) => kind === 'write' && offset === L1)
  t.is(storage.calls.slice(0, linkAt).filter(({ kind }) => kind === 'sync').length, syncs - 1)
  const reader = qed.open(file, { writable: false, metadataCache: 0 }).driver
  t.true(offsets.every((offset, n) => mapped(reader, offset, CLUSTER) === `data ${places[n]}+${CLUSTER}`))
})

test('a change made while a commit runs is in the next one', t => {
  const { storage, file } = makeImage()
  const driver = openForWriting(file)
  writeCluster(driver, 0)
  let late = 0
  storage.interfere = ({ kind }) => {
    if (kind === 'sync' && late === 0) {
      late = 1
      late = writeCluster(driver, CLUSTER)
    }
    return 'proceed'
  }
  driver.commit()
  storage.interfere = null
  const before = qed.open(file, { writable: false, metadataCache: 0 }).driver
  t.is(mapped(before, CLUSTER, CLUSTER), `absent ${CLUSTER}`)
  t.true(driver.pending() > 0)
  driver.finish()
  const after = qed.open(file, { writable: false, metadataCache: 0 }).driver
  t.is(mapped(after, CLUSTER, CLUSTER), `data ${late}+${CLUSTER}`)
})

test('a table made while a commit runs is linked by the next one, after its own barrier', t => {
  const { storage, file } = makeImage()
  const driver = openForWriting(file)
  writeCluster(driver, 0)
  let late = 0
  storage.interfere = ({ kind }) => {
    if (kind === 'sync' && late === 0) {
      late = 1
      late = writeCluster(driver, SLICE_SPAN)
    }
    return 'proceed'
  }
  driver.commit()
  t.is(peek(file, L1 + 8), 0n)
  driver.commit()
  t.is(peek(file, L1 + 8), BigInt(late + CLUSTER))
})

test('a full file is ENOSPC before anything changed', t => {
  const { file } = makeImage()
  file.truncate(0xffff_fffc * CLUSTER)
  const driver = openForWriting(file)
  const error = t.throws(() => writeCluster(driver, 0)) as { errno?: number }
  t.is(error.errno, errno.ENOSPC)
  t.is(driver.pending(), 0)
})
