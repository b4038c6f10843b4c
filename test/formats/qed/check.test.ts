import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import type { CheckReport } from '../../../src/formats/format.js'
import { qed } from '../../../src/formats/qed/index.js'
import type { StorageFile } from '../../../src/storage/storage-file.js'
import { systemHost } from '../../../src/storage/system-host.js'
import { lacks } from '../../support/tools.js'
import { makeImage, needsCheck, openForWriting, peek, poke, writeCluster } from './images.js'

const CLUSTER = 4096
/** header, L1 (2), then data, table (2), data, data, data. */
const L1 = CLUSTER
const TABLE = 4 * CLUSTER
const FIRST_DATA = 3 * CLUSTER
const END = 9 * CLUSTER

function fill(file: StorageFile): void {
  const driver = openForWriting(file)
  for (let n = 0; n < 4; n++) writeCluster(driver, n * CLUSTER)
  driver.publishZeros(4 * CLUSTER, 2 * CLUSTER)
  driver.finish()
}

interface Damage {
  readonly what: string
  readonly inflict: (file: StorageFile) => void
  /** As qemu-img check says it: 0, 2 or 3. */
  readonly code: number
  /** After a repair of everything that we can repair. */
  readonly afterwards: number
}

const DAMAGES: Damage[] = [
  { what: 'nothing', inflict: () => {}, code: 0, afterwards: 0 },
  { what: 'NEED_CHECK', inflict: file => poke(file, 16, 2), code: 0, afterwards: 0 },
  {
    what: 'an unaligned entry',
    inflict: file => poke(file, TABLE, FIRST_DATA + 512),
    code: 2,
    afterwards: 3,
  },
  { what: 'an entry of 2', inflict: file => poke(file, TABLE + 80, 2), code: 2, afterwards: 0 },
  { what: 'an entry in the header', inflict: file => poke(file, TABLE + 80, 512), code: 2, afterwards: 0 },
  { what: 'an entry beyond the file', inflict: file => poke(file, TABLE + 80, END), code: 2, afterwards: 0 },
  { what: 'an entry of 2^64 - 1', inflict: file => poke(file, TABLE + 80, -1n), code: 2, afterwards: 0 },
  {
    what: 'an entry behind the end of the disk',
    inflict: file => poke(file, TABLE + 8184, END),
    code: 2,
    afterwards: 0,
  },
  {
    what: 'an entry that is the L1 table',
    inflict: file => poke(file, TABLE + 80, L1),
    code: 2,
    afterwards: 0,
  },
  {
    what: 'an entry that is its own table',
    inflict: file => poke(file, TABLE + 80, TABLE),
    code: 2,
    afterwards: 2,
  },
  {
    what: 'two entries of one cluster',
    inflict: file => poke(file, TABLE + 80, FIRST_DATA),
    code: 2,
    afterwards: 2,
  },
  { what: 'an unaligned L1 entry', inflict: file => poke(file, L1 + 8, TABLE + 8), code: 2, afterwards: 0 },
  {
    what: 'an L1 entry that does not fit the file',
    inflict: file => poke(file, L1 + 8, END - CLUSTER),
    code: 2,
    afterwards: 0,
  },
  { what: 'two L1 entries of one table', inflict: file => poke(file, L1 + 8, TABLE), code: 2, afterwards: 2 },
  {
    what: 'an L1 entry behind those that the disk needs',
    inflict: file => poke(file, L1 + 4096, 512),
    code: 2,
    afterwards: 0,
  },
  { what: 'a leak at the end', inflict: file => file.truncate(END + 3 * CLUSTER), code: 3, afterwards: 0 },
  { what: 'a leak in the middle', inflict: file => poke(file, TABLE + 8, 0), code: 3, afterwards: 3 },
  {
    what: 'a file cut off in its last cluster',
    inflict: file => file.truncate(END - 512),
    code: 2,
    afterwards: 0,
  },
  {
    what: 'an end that is no whole cluster',
    inflict: file => file.truncate(END + 100),
    code: 0,
    afterwards: 0,
  },
]

function codeOf(report: CheckReport): number {
  return report.errors > 0 ? 1 : report.corruptions > 0 ? 2 : report.leaks > 0 ? 3 : 0
}

for (const { what, inflict, code, afterwards } of DAMAGES) {
  test(`${what}: found without changing the file, then repaired as far as can be`, t => {
    const { storage, file } = makeImage({ tableSize: 2 })
    fill(file)
    inflict(file)
    storage.settle()
    const found = qed.check!(file, 'none')
    t.is(codeOf(found), code, found.findings.join('; '))
    t.deepEqual(storage.record, [])
    t.is(found.findings.length > 0, code !== 0)
    const repaired = qed.check!(file, 'all')
    t.is(codeOf(repaired), afterwards, repaired.findings.join('; '))
    t.is(repaired.corruptions + repaired.corruptionsFixed, found.corruptions)
    t.is(codeOf(qed.check!(file, 'none')), afterwards)
    t.is(needsCheck(file), false)
  })
}

test('the results are those of qemu-img check, and of a check after ours repaired', t => {
  if (lacks(t, 'qemu-img')) return
  const directory = mkdtempSync(join(tmpdir(), 'rawmount-check-'))
  try {
    for (const [n, { what, inflict, code, afterwards }] of DAMAGES.entries()) {
      const path = join(directory, `${n}.qed`)
      const file = systemHost.create(path, false)
      const options = new Map([
        ['cluster_size', '4k'],
        ['table_size', '2'],
      ])
      qed.create(file, { size: 3 << 20, backing: null, options })
      fill(file)
      inflict(file)
      const qemu = () => spawnSync('qemu-img', ['check', '--output', 'json', path], { encoding: 'utf8' })
      const theirs = qemu()
      t.is(theirs.status, code, `${what}: ${theirs.stdout}`)
      const ours = qed.check!(file, 'none')
      const json = JSON.parse(theirs.stdout)
      t.deepEqual(
        {
          corruptions: ours.corruptions,
          leaks: ours.leaks,
          total: ours.totalClusters,
          allocated: ours.allocatedClusters,
          fragmented: ours.fragmentedClusters,
        },
        {
          corruptions: json.corruptions ?? 0,
          leaks: json.leaks ?? 0,
          total: json['total-clusters'],
          allocated: json['allocated-clusters'] ?? 0,
          fragmented: json['fragmented-clusters'] ?? 0,
        },
        what,
      )
      qed.check!(file, 'all')
      t.is(qemu().status, afterwards, `${what}, after the repair`)
      file.close()
    }
  } finally {
    rmSync(directory, { recursive: true })
  }
})

test('leaks at the end are cut off, those in the middle give their storage back and remain', t => {
  const { storage, file } = makeImage({ tableSize: 2 })
  fill(file)
  poke(file, TABLE + 8, 0)
  file.truncate(END + 2 * CLUSTER)
  storage.forget()
  const report = qed.check!(file, 'leaks')
  t.is(report.leaks, 1)
  t.is(report.leaksFixed, 2)
  t.is(file.size(), END)
  t.deepEqual(
    storage.calls.filter(({ kind }) => kind === 'zero').map(({ offset, length }) => [offset, length]),
    [[6 * CLUSTER, CLUSTER]],
  )
  t.is(report.imageEndOffset, END)
})

test('clusters that a damaged entry may have meant are not thrown away with it', t => {
  const { storage, file } = makeImage({ tableSize: 2 })
  fill(file)
  poke(file, L1, TABLE + 1)
  storage.settle()
  const report = qed.check!(file, 'all')
  t.is(report.corruptionsFixed, 1)
  t.is(report.leaks, 6)
  t.is(report.leaksFixed, 0)
  t.is(file.size(), END)
  t.is(qed.check!(file, 'leaks').leaksFixed, 6)
})

test('a repair of leaks leaves corruption, and then leaks too, alone', t => {
  const { storage, file } = makeImage({ tableSize: 2 })
  fill(file)
  poke(file, TABLE, 2)
  storage.settle()
  const report = qed.check!(file, 'leaks')
  t.is(report.corruptions, 1)
  t.is(report.leaksFixed, 0)
  t.deepEqual(storage.record, [])
})

test('entries are durable before NEED_CHECK is cleared', t => {
  const { storage, file } = makeImage({ tableSize: 2 })
  fill(file)
  poke(file, 16, 2)
  poke(file, TABLE + 80, 2)
  storage.settle()
  qed.check!(file, 'all')
  t.deepEqual(
    storage.record.map(({ kind, offset }) => (kind === 'sync' ? 'sync' : `${kind} ${offset}`)),
    [`write ${TABLE}`, 'sync', 'write 0', 'sync'],
  )
})

test('a table that cannot be read makes the check incomplete: errors, and no leaks counted', t => {
  const { storage, file } = makeImage({ tableSize: 2 })
  fill(file)
  file.truncate(END + CLUSTER)
  storage.failNext('read', 5, { nth: 3 })
  const report = qed.check!(file, 'all')
  t.is(report.errors, 1)
  t.is(report.leaks, 0)
  t.is(file.size(), END + CLUSTER)
  t.regex(report.findings[0]!, /L2 table 0 could not be checked: .*EIO/)
})

test('an image with thousands of bad entries is reported in some hundred lines', t => {
  const { file } = makeImage({ tableSize: 2 })
  fill(file)
  for (let n = 0; n < 1024; n++) poke(file, TABLE + n * 8, 3)
  const report = qed.check!(file, 'none')
  t.is(report.corruptions, 1024)
  t.is(report.findings.length, 200)
})

test('an open for writing mends an image that was not closed cleanly, durably, and only then clears the bit', t => {
  const { storage, file } = makeImage({ tableSize: 2 })
  fill(file)
  poke(file, 16, 2)
  poke(file, TABLE, 2)
  storage.settle()
  t.true(qed.open(file, { writable: false, metadataCache: 0 }).info.dirty)
  t.deepEqual(storage.record, [])
  t.false(qed.open(file, { writable: true, metadataCache: 0 }).info.dirty)
  t.deepEqual(
    storage.record.map(({ kind, offset }) => (kind === 'sync' ? 'sync' : `${kind} ${offset}`)),
    [`write ${TABLE}`, 'sync', 'write 0', 'sync'],
  )
  t.is(peek(file, TABLE), 0n)
})

test('an image that cannot be mended is not opened for writing, not changed, and opens read-only', t => {
  const { storage, file } = makeImage({ tableSize: 2 })
  fill(file)
  poke(file, 16, 2)
  poke(file, TABLE + 80, FIRST_DATA)
  poke(file, TABLE + 88, 2)
  storage.settle()
  t.throws(() => qed.open(file, { writable: true, metadataCache: 0 }), {
    code: 'CORRUPT',
    message: /not closed cleanly .*rawmount check -r all.*read-only \(-r\)/,
  })
  t.deepEqual(storage.record, [])
  t.notThrows(() => qed.open(file, { writable: false, metadataCache: 0 }))
})

test('QEMU marks an image dirty, and an open for writing after its death mends it', t => {
  if (lacks(t, 'qemu-img', 'qemu-io')) return
  const directory = mkdtempSync(join(tmpdir(), 'rawmount-check-'))
  try {
    const path = join(directory, 'killed.qed')
    execFileSync('qemu-img', ['create', '-q', '-f', 'qed', path, '4M'])
    spawnSync('qemu-io', ['-f', 'qed', '-c', 'write -P 5 0 64k', '-c', 'flush', '-c', 'sigraise 9', path])
    const file = systemHost.open(path, true)
    t.true(needsCheck(file))
    qed.open(file, { writable: true, metadataCache: 0 })
    t.false(needsCheck(file))
    file.close()
  } finally {
    rmSync(directory, { recursive: true })
  }
})
