import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { checkImage } from '../../../src/disk/check.js'
import { createImage } from '../../../src/disk/create.js'
import type { ImageError } from '../../../src/errors.js'
import type { CheckReport, Repair } from '../../../src/formats/format.js'
import { GOLDEN, timesOf, UNPACKING, unpackFor } from '../../support/golden.js'
import { seeded } from '../../support/random.js'
import { SimulatedStorage } from '../../support/simulated-storage.js'
import { TestDisk } from '../../support/test-disk.js'
import { lacks } from '../../support/tools.js'
import { At, fill, header64, isClean, makeFvd, openFvd, PATH, poke, story, tableOf } from './images.js'

const CHUNK = 4096
const CHUNKS = 16
const COMPACT = { compact_image: 'on', chunk_size: CHUNK, storage_grow_unit: 4 * CHUNK, journal_size: 8192 }
const EMPTY = 0xffffffff
const TABLE_RECORD = 0xb4e6f7ac
const BITMAP_RECORD = 0x3f2ab8ed

/** Chunks 0, 1, 2 and 3 have the storages of their numbers, full of what they are + 1; the file holds 4. */
function compact(options: Record<string, string | number> = {}): SimulatedStorage {
  const storage = makeFvd({ size: CHUNKS * CHUNK, options: { ...COMPACT, ...options } })
  const disk = openFvd(storage)
  for (let chunk = 0; chunk < 4; chunk++) disk.write(chunk * CHUNK, fill(CHUNK, chunk + 1))
  disk.close()
  storage.settle()
  return storage
}

/** Blocks 0 and 1 of a base are in the image, in chunk 0. */
function withBase(): SimulatedStorage {
  const storage = makeFvd({
    size: CHUNKS * CHUNK,
    options: { ...COMPACT, chunk_size: 2 * CHUNK, storage_grow_unit: 8 * CHUNK, block_size: CHUNK },
    baseSize: 9 * CHUNK,
  })
  const disk = openFvd(storage)
  disk.write(0, fill(2 * CHUNK, 7))
  disk.close()
  storage.settle()
  return storage
}

function check(storage: SimulatedStorage, repair: Repair = 'none'): CheckReport {
  return checkImage(PATH, { host: storage, repair }).report!
}

function codeOf({ errors, corruptions, leaks }: CheckReport): number {
  return errors > 0 ? 1 : corruptions > 0 ? 2 : leaks > 0 ? 3 : 0
}

function entryAt(storage: SimulatedStorage, chunk: number): number {
  return header64(storage, At.tableOffset) + chunk * 4
}

function dataAt(storage: SimulatedStorage, id: number): number {
  return header64(storage, At.metadataSize) + id * CHUNK
}

/** Crashed, with this in a sector of the journal. */
function crashedWith(storage: SimulatedStorage, ...words: number[]): void {
  poke(storage, At.cleanShutdown, 0)
  poke(storage, header64(storage, At.journalOffset) + 512, ...words)
}

interface Damage {
  readonly what: string
  readonly make?: () => SimulatedStorage
  readonly inflict: (storage: SimulatedStorage) => void
  /** Exit codes: before, and after a repair of all. */
  readonly code: number
  readonly afterwards: number
  /** One of the findings. */
  readonly says?: RegExp
}

const DAMAGES: Damage[] = [
  { what: 'nothing', inflict: () => {}, code: 0, afterwards: 0 },
  {
    what: 'an entry behind the end of the file',
    inflict: storage => poke(storage, entryAt(storage, 1), 4),
    code: 2,
    afterwards: 3,
    says: /chunk 1 has storage 4 at \d+, behind the end of .*disk\.fvd/,
  },
  {
    what: 'an entry of 2^31 - 1',
    inflict: storage => poke(storage, entryAt(storage, 9), 0x7fffffff),
    code: 2,
    afterwards: 0,
    says: /chunk 9 has an entry that names no storage/,
  },
  {
    what: 'an entry of 2^31 - 2',
    inflict: storage => poke(storage, entryAt(storage, 9), 0x7ffffffe),
    code: 2,
    afterwards: 0,
  },
  {
    what: 'an entry with the mark of bit 31',
    inflict: storage => poke(storage, entryAt(storage, 1), 0x80000001),
    code: 0,
    afterwards: 0,
  },
  {
    what: 'two entries of one storage',
    inflict: storage => poke(storage, entryAt(storage, 3), 0),
    code: 2,
    afterwards: 0,
    says: /chunk 3 has storage 0 at \d+, which an earlier chunk has/,
  },
  {
    what: 'a file cut off within its last chunk',
    inflict: storage => storage.contents(PATH).truncate(dataAt(storage, 3) + 512),
    code: 2,
    afterwards: 0,
    says: /disk\.fvd ends at \d+, within the storage 3 of a chunk/,
  },
  {
    what: 'a file cut off before its last chunk',
    inflict: storage => storage.contents(PATH).truncate(dataAt(storage, 3)),
    code: 2,
    afterwards: 0,
  },
  {
    what: 'storage that no entry names',
    inflict: storage => poke(storage, entryAt(storage, 1), EMPTY),
    code: 3,
    afterwards: 0,
    says: /^leaked: storage 1 at \d+/,
  },
  {
    what: 'storage that no entry names, and is a hole',
    inflict(storage) {
      poke(storage, entryAt(storage, 1), EMPTY)
      storage.contents(PATH).zero(dataAt(storage, 1), CHUNK)
    },
    code: 0,
    afterwards: 0,
  },
  {
    what: 'a crash',
    inflict: storage => poke(storage, At.cleanShutdown, 0),
    code: 0,
    afterwards: 0,
    says: /^note: was not closed cleanly: the journal has 0 change/,
  },
  {
    what: 'a crash without a journal',
    make: () => compact({ journal_size: 0 }),
    inflict: storage => poke(storage, At.cleanShutdown, 0),
    code: 2,
    afterwards: 0,
    says: /not closed cleanly and has no journal/,
  },
  {
    what: 'a crash of a flat image',
    make: () => makeFvd({}),
    inflict: storage => poke(storage, At.cleanShutdown, 0),
    code: 0,
    afterwards: 0,
  },
  {
    what: 'a record of a chunk behind the last',
    inflict: storage => crashedWith(storage, TABLE_RECORD, CHUNKS, 1, 0),
    code: 2,
    afterwards: 0,
    says: /journal sector 1: a TABLE record names chunk 16/,
  },
  {
    what: 'a record of storage behind the end of the file',
    inflict: storage => crashedWith(storage, TABLE_RECORD, 1, 1, 400),
    code: 2,
    afterwards: 0,
    says: /the journal gives chunk 1 storage 400 at \d+, behind the end/,
  },
  {
    what: 'a record of storage that another chunk has',
    inflict: storage => crashedWith(storage, TABLE_RECORD, 8, 1, 0),
    code: 2,
    afterwards: 0,
    says: /chunk 8 has storage 0/,
  },
  {
    what: 'a record of more entries than a sector takes',
    inflict: storage => crashedWith(storage, TABLE_RECORD, 0, 126),
    code: 2,
    afterwards: 0,
    says: /a TABLE record of 126 entries/,
  },
  {
    what: 'a record of blocks behind the end of the disk',
    make: withBase,
    inflict: storage => crashedWith(storage, BITMAP_RECORD, 8, CHUNKS * 8, 0),
    code: 2,
    afterwards: 0,
    says: /a BITMAP record names sectors 128\+8/,
  },
  {
    what: 'such records in an image that was closed cleanly',
    inflict: storage => poke(storage, header64(storage, At.journalOffset), TABLE_RECORD, CHUNKS, 1, 0),
    code: 0,
    afterwards: 0,
  },
  {
    what: 'a block in the image without a chunk',
    make: withBase,
    inflict(storage) {
      poke(storage, entryAt(storage, 0), EMPTY)
      storage.contents(PATH).zero(header64(storage, At.metadataSize), 8 * CHUNK)
    },
    code: 0,
    afterwards: 0,
    says: /^note: 8192 bytes are in the image by the bitmap, and have no chunk/,
  },
  {
    what: 'a bit behind the last block',
    make: withBase,
    inflict: storage => poke(storage, header64(storage, At.bitmapOffset), 0x803),
    code: 0,
    afterwards: 0,
    says: /^note: bit 11 of the bitmap is set/,
  },
  {
    what: 'a profile in the journal',
    inflict(storage) {
      poke(storage, 4312, 4096)
      poke(storage, 2152, header64(storage, At.journalOffset), 0, 1, 0)
    },
    code: 2,
    afterwards: 0,
    says: /prefetch profile at \d+ to \d+ overlaps the journal/,
  },
  {
    what: 'a profile in the data',
    inflict(storage) {
      poke(storage, 4312, 4096)
      poke(storage, 2152, dataAt(storage, 0), 0, 1, 0)
    },
    code: 2,
    afterwards: 0,
    says: /prefetch profile ends at \d+, behind the end/,
  },
  {
    what: 'a profile of 2^50 entries',
    inflict(storage) {
      poke(storage, 4312, 4096)
      poke(storage, 2152, 8192, 0, 0, 1 << 18)
    },
    code: 2,
    afterwards: 0,
  },
  {
    what: 'a lowest throughput above the highest',
    inflict: storage => poke(storage, 2188, 7, 0, 6, 0),
    code: 0,
    afterwards: 0,
    says: /^note: prefetch_min_read_throughput is 7, more than/,
  },
  {
    what: 'an unknown way to update the base',
    inflict: storage => poke(storage, 4320, 0x21),
    code: 0,
    afterwards: 0,
    says: /^note: write_updates_base_img is '!'/,
  },
]

for (const { what, make = compact, inflict, code, afterwards, says } of DAMAGES) {
  test(`${what}: found without changing the file, then repaired as far as can be`, t => {
    const storage = make()
    inflict(storage)
    storage.settle()
    const found = check(storage)
    t.is(codeOf(found), code, found.findings.join('; '))
    t.deepEqual(storage.record, [])
    if (says !== undefined)
      t.true(
        found.findings.some(line => says.test(line)),
        found.findings.join('; '),
      )
    if (code === 0)
      t.true(
        found.findings.every(line => line.startsWith('note: ')),
        found.findings.join('; '),
      )
    else t.not(found.findings.length, 0)

    const repaired = check(storage, 'all')
    t.is(codeOf(repaired), afterwards, repaired.findings.join('; '))
    t.is(repaired.corruptions + repaired.corruptionsFixed, found.corruptions)
    t.is(codeOf(check(storage)), afterwards)
    t.true(isClean(storage))
    t.notThrows(() => openFvd(storage).close())
    t.deepEqual(storage.leftOpen(), [])
  })
}

test('counts chunks, those in use, those that lie apart, and where the last one ends', t => {
  const storage = compact()
  poke(storage, entryAt(storage, 0), 2, 1, 0)
  const { totalClusters, allocatedClusters, fragmentedClusters, imageEndOffset } = check(storage)
  t.deepEqual([totalClusters, allocatedClusters, fragmentedClusters], [CHUNKS, 4, 3])
  t.is(imageEndOffset, dataAt(storage, 4))
})

test('counts blocks of a flat image with a base', t => {
  const storage = makeFvd({ options: { block_size: 4096 }, baseSize: 10 * 4096 })
  const disk = openFvd(storage)
  disk.write(4096, fill(2 * 4096, 1))
  disk.close()
  t.like(check(storage), { totalClusters: 10, allocatedClusters: 2, fragmentedClusters: 0, findings: [] })
})

test('a mended image shows what it showed, but for the chunks that were wrong', t => {
  const storage = compact()
  poke(storage, entryAt(storage, 1), 400)
  poke(storage, entryAt(storage, 3), 0)
  t.is(check(storage, 'all').corruptionsFixed, 2)
  t.deepEqual(tableOf(storage, 4), [0, EMPTY, 2, EMPTY])
  const disk = openFvd(storage)
  for (const [chunk, byte] of [1, 0, 3, 0].entries())
    t.deepEqual(disk.read(chunk * CHUNK, CHUNK), fill(CHUNK, byte))
  disk.close()
})

test('a record that cannot be leaves the entry as it is in its place', t => {
  const storage = compact()
  crashedWith(storage, TABLE_RECORD, 1, 1, 400)
  check(storage, 'all')
  t.deepEqual(tableOf(storage, 4), [0, 1, 2, 3])
})

test('what is left of a chunk that the file was cut off in stays', t => {
  const storage = compact()
  storage.contents(PATH).truncate(dataAt(storage, 3) + 512)
  check(storage, 'all')
  const disk = openFvd(storage, false)
  t.deepEqual(disk.read(3 * CHUNK, 1024), Uint8Array.from([...fill(512, 4), ...fill(512, 0)]))
  disk.close()
})

test('a crash without a journal is accepted by a repair of all, not of leaks, and then opens for writing', t => {
  const storage = compact({ journal_size: 0 })
  poke(storage, At.cleanShutdown, 0)
  storage.settle()
  t.throws(() => openFvd(storage), { message: /rawmount check -r all/ })
  t.is(codeOf(check(storage, 'leaks')), 2)
  t.deepEqual(storage.record, [])
  t.like(check(storage, 'all'), { corruptions: 0, corruptionsFixed: 1 })
  t.notThrows(() => openFvd(storage).close())
})

test('a crashed image is recovered, its journal wiped, and only then called clean', t => {
  const storage = withBase()
  const [table, bitmap, journal] = [At.tableOffset, At.bitmapOffset, At.journalOffset].map(at =>
    header64(storage, at),
  )
  const disk = openFvd(storage)
  disk.write(4 * CHUNK, fill(CHUNK, 9))
  disk.flush()
  disk.drop()
  for (const repair of ['leaks', 'all'] as const) {
    const crashed = makeCopy(storage)
    check(crashed, repair)
    t.deepEqual(story(crashed), [
      'sync',
      `write ${table}+512`,
      'sync',
      `write ${bitmap}+512`,
      'sync',
      `zero ${journal}+8192`,
      'sync',
      `write ${At.cleanShutdown}+4`,
      'sync',
    ])
    const after = openFvd(crashed, false)
    t.deepEqual(after.read(4 * CHUNK, CHUNK), fill(CHUNK, 9))
    after.close()
  }
})

test('entries of a clean image are mended when no old record can bring them back', t => {
  const storage = compact()
  poke(storage, entryAt(storage, 1), 400)
  storage.forget()
  check(storage, 'all')
  t.deepEqual(story(storage), [
    `zero ${header64(storage, At.journalOffset)}+8192`,
    'sync',
    `write ${header64(storage, At.tableOffset)}+512`,
    'sync',
  ])
})

test('leaks give their storage back when no old record can name them', t => {
  const storage = compact()
  poke(storage, entryAt(storage, 1), EMPTY, EMPTY)
  storage.settle()
  const report = check(storage, 'leaks')
  t.like(report, { leaks: 0, leaksFixed: 2, corruptions: 0 })
  t.deepEqual(story(storage), [
    `zero ${header64(storage, At.journalOffset)}+8192`,
    'sync',
    `zero ${dataAt(storage, 1)}+${2 * CHUNK}`,
    'sync',
  ])
  t.true(storage.contents(PATH).isZero(dataAt(storage, 1), 2 * CHUNK))
})

test('a leak is counted by the room that it takes: holes beside it, leaked or in use, are none', t => {
  const storage = makeFvd({ size: CHUNKS * CHUNK, options: COMPACT })
  const disk = openFvd(storage)
  disk.write(0, fill(8 * CHUNK, 1))
  disk.close()
  // Storage 1, 2 and 3 are nobody's, of which 2 takes room; 5 is nobody's, and 6 is in use, both holes.
  poke(storage, entryAt(storage, 1), EMPTY, EMPTY, EMPTY)
  poke(storage, entryAt(storage, 5), EMPTY)
  for (const id of [1, 3, 5, 6]) storage.contents(PATH).zero(dataAt(storage, id), CHUNK)
  const report = check(storage)
  t.is(report.leaks, 1)
  t.deepEqual(report.findings, [
    `leaked: storage 1 to 3 at ${dataAt(storage, 1)}, which no entry of the table names`,
  ])
})

test('a file that was cut off is extended, durably', t => {
  const storage = compact()
  storage.contents(PATH).truncate(dataAt(storage, 3) + 512)
  storage.forget()
  check(storage, 'all')
  t.deepEqual(story(storage), [`truncate ${dataAt(storage, 4)}`, 'sync'])
})

test('an entry that names no storage is none in a file of many terabytes either', t => {
  const storage = compact()
  poke(storage, entryAt(storage, 9), 0x7fffffff)
  storage.contents(PATH).truncate(2 ** 46)
  t.is(check(storage).corruptions, 1)
})

test('leaks whose storage a file cannot give back remain leaks', t => {
  const storage = compact()
  poke(storage, entryAt(storage, 1), EMPTY)
  storage.interfere = ({ kind, offset }) =>
    kind === 'zero' && offset === dataAt(storage, 1) ? 'ignore' : 'proceed'
  const report = check(storage, 'leaks')
  t.like(report, { leaks: 1, leaksFixed: 0 })
  t.regex(report.findings.at(-1)!, /1 leaked chunk\(s\) remain/)
})

test('a journal that someone threw away is told of, and what only it names is not given back', t => {
  const storage = compact()
  const disk = openFvd(storage)
  disk.write(5 * CHUNK, fill(CHUNK, 0xee))
  disk.flush()
  disk.drop()
  poke(storage, At.cleanShutdown, 1)
  storage.settle()
  for (const repair of ['none', 'leaks', 'all'] as const) {
    const report = check(storage, repair)
    t.is(codeOf(report), 0)
    t.regex(report.findings[0]!, /the journal has 1 change\(s\) that table and bitmap lack.*clean_shutdown=0/)
    t.deepEqual(storage.record, [])
  }
  poke(storage, At.cleanShutdown, 0)
  const after = openFvd(storage, false)
  t.deepEqual(after.read(5 * CHUNK, CHUNK), fill(CHUNK, 0xee))
  after.close()
})

test('chunks of a crashed session behind the last in use are cut off by a repair; room that was never used stays', t => {
  const storage = makeFvd({ size: CHUNKS * CHUNK, options: COMPACT })
  const disk = openFvd(storage)
  disk.write(0, fill(CHUNK, 1))
  disk.flush()
  const untouched = makeCopy(storage)
  disk.write(CHUNK, fill(CHUNK, 0xee))
  disk.drop()
  t.is(codeOf(check(storage)), 0)
  t.like(check(storage, 'leaks'), { leaks: 0, leaksFixed: 0 })
  t.is(storage.contents(PATH).size, dataAt(storage, 1))
  check(untouched, 'leaks')
  t.is(untouched.contents(PATH).size, dataAt(storage, 4))
  const after = openFvd(storage)
  t.deepEqual(after.read(0, CHUNK), fill(CHUNK, 1))
  after.write(CHUNK, fill(CHUNK, 2))
  after.close()
})

test('the metadata are not cut off with the chunks, where these begin a little before their end', t => {
  const storage = makeFvd({ size: CHUNKS * CHUNK, options: COMPACT })
  // As in images of the reference whose metadata_size is not rounded.
  const size = header64(storage, At.metadataSize)
  poke(storage, At.metadataSize, size + 100)
  storage.contents(PATH).truncate(size + 9 * CHUNK)
  storage.contents(PATH).write(size + 3 * CHUNK, fill(CHUNK, 0xee))
  check(storage, 'leaks')
  t.is(storage.contents(PATH).size, size + 100)
  t.is(codeOf(check(storage)), 0)
})

test('a repair of leaks leaves corruption, and then leaks too, alone', t => {
  const storage = compact()
  poke(storage, entryAt(storage, 1), 400)
  storage.settle()
  t.like(check(storage, 'leaks'), { corruptions: 1, leaks: 1, leaksFixed: 0 })
  t.deepEqual(storage.record, [])
})

test('storage that a damaged entry may have meant is not thrown away with it', t => {
  const storage = compact()
  poke(storage, entryAt(storage, 1), 400)
  t.like(check(storage, 'all'), { corruptionsFixed: 1, leaks: 1, leaksFixed: 0 })
  t.deepEqual(storage.contents(PATH).bytes(dataAt(storage, 1), CHUNK), fill(CHUNK, 2))
  t.is(check(storage, 'leaks').leaksFixed, 1)
})

test('what cannot be read makes the check incomplete, and nothing is repaired', t => {
  for (const repair of ['none', 'all'] as const) {
    const storage = compact()
    poke(storage, entryAt(storage, 1), EMPTY)
    storage.settle()
    // The head for the format, the header, then the table.
    storage.failNext('read', 5, { nth: 3 })
    const report = check(storage, repair)
    t.like(report, { errors: 1, leaks: 0, corruptions: 0 })
    t.regex(report.findings[0]!, /the table could not be read or written: .*EIO/)
    t.deepEqual(storage.record, [])
  }
})

test('a file that cannot be extended is left as it is', t => {
  const storage = compact()
  storage.contents(PATH).truncate(dataAt(storage, 3) + 512)
  storage.settle()
  storage.failNext('truncate', 28)
  t.like(check(storage, 'all'), { errors: 1, corruptions: 1, corruptionsFixed: 0 })
  t.deepEqual(storage.record, [])
})

test('thousands of bad entries are counted and mended all, and reported in some hundred lines', t => {
  const storage = makeFvd({ size: 4096 * CHUNK, options: { ...COMPACT, journal_size: 65_536 } })
  const entries = Array.from({ length: 3000 }, (_, n) => (n % 2 === 0 ? 1_000_000 : 0))
  poke(storage, entryAt(storage, 0), ...entries)
  storage.contents(PATH).truncate(dataAt(storage, 4))
  const report = check(storage)
  t.is(report.corruptions, 2999)
  t.true(report.findings.length <= 300)
  t.is(check(storage, 'all').corruptionsFixed, 2999)
  t.is(codeOf(check(storage)), 0)
  t.deepEqual(tableOf(storage, 3), [EMPTY, 0, EMPTY])
})

test('the data file is measured, locked, repaired and closed with the image', t => {
  const storage = compact({ data_file: 'data.raw' })
  const data = '/images/data.raw'
  const table = header64(storage, At.tableOffset)
  poke(storage, table + 4, EMPTY)
  storage.settle()
  t.like(check(storage), { leaks: 1, imageEndOffset: 4 * CHUNK })
  t.deepEqual(storage.record, [])
  t.like(check(storage, 'leaks'), { leaks: 0, leaksFixed: 1 })
  t.true(storage.contents(data).isZero(CHUNK, CHUNK))
  storage.contents(data).truncate(3 * CHUNK)
  t.regex(check(storage).findings[0]!, /chunk 3 has storage 3 at 12288, behind the end of .*data\.raw/)

  const other = storage.open(data, true)
  storage.lock(other)
  t.throws(() => check(storage), { code: 'IN_USE' })
  other.close()
  storage.remove(data)
  t.throws(() => check(storage), { code: 'NOT_FOUND', message: /data\.raw/ })
  t.deepEqual(storage.leftOpen(), [])
})

test('a data file that is an image is repaired through its own format, and left closed', t => {
  const storage = new SimulatedStorage()
  createImage('/images/data.qed', { format: 'qed', size: 8 * CHUNK, host: storage })
  makeFvdOn(storage, { data_file: 'data.qed', data_file_fmt: 'qed' })
  const disk = openFvd(storage)
  for (let chunk = 0; chunk < 4; chunk++) disk.write(chunk * CHUNK, fill(CHUNK, chunk + 1))
  disk.close()
  poke(storage, entryAt(storage, 1), EMPTY)
  storage.settle()
  t.is(codeOf(check(storage)), 3)
  t.deepEqual(storage.record, [])
  check(storage, 'leaks')
  t.deepEqual(storage.leftOpen(), [])
  t.is(codeOf(checkImage('/images/data.qed', { host: storage }).report!), 0)
  const after = TestDisk.open('/images/data.qed', { host: storage })
  t.deepEqual(after.read(CHUNK, CHUNK), fill(CHUNK, 0))
  t.deepEqual(after.read(2 * CHUNK, CHUNK), fill(CHUNK, 3))
  after.close()
})

for (const image of GOLDEN) {
  const { name } = image

  test.serial(`${name} is found as its maker left it, unchanged by that, and repaired`, async t => {
    if (lacks(t, ...UNPACKING)) return
    const path = join(await unpackFor(t, image), 'image.fvd')
    const before = readFileSync(path)
    const times = await timesOf(join(path, '..'))
    const report = checkImage(path).report!
    // A crash while a block was copied from the base left its chunk to nobody; without a journal nobody knows what a crash took.
    const code = name === 'c-base-cor-crashed' ? 3 : name === 'nc-base-nojournal-crashed' ? 2 : 0
    t.is(codeOf(report), code, report.findings.join('; '))
    t.true(before.equals(readFileSync(path)))
    t.deepEqual(await timesOf(join(path, '..')), times)

    t.is(codeOf(checkImage(path, { repair: 'all' }).report!), 0)
    const again = checkImage(path).report!
    t.is(codeOf(again), 0)
    t.false(again.findings.some(line => line.includes('not closed cleanly')))
    t.is(again.allocatedClusters, report.allocatedClusters)
  })
}

test('whatever stands in header, table, bitmap and journal: a check ends with a report or a refusal, a repair mends', t => {
  const random = seeded(t)
  for (let n = 0; n < 1500; n++) {
    const draw = random.fork(n)
    const storage = draw.chance(0.5) ? compact() : withBase()
    const areas = [
      { at: 0, length: 4336 },
      { at: header64(storage, At.tableOffset), length: CHUNKS * 4 },
      { at: header64(storage, At.bitmapOffset) || 8192, length: 4 },
      { at: header64(storage, At.journalOffset), length: 1024 },
    ]
    if (draw.chance(0.5)) poke(storage, At.cleanShutdown, 0)
    for (let flips = draw.between(1, 4); flips > 0; flips--) {
      const area = areas[draw.below(4)]!
      const word = draw.pick([
        draw.word(),
        draw.below(20),
        1 << draw.below(32),
        EMPTY,
        TABLE_RECORD,
        BITMAP_RECORD,
      ])
      poke(storage, area.at + 4 * draw.below(area.length / 4), word >>> 0)
    }
    storage.settle()
    let isMended = false
    try {
      const found = check(storage)
      t.deepEqual(storage.record, [])
      const repaired = check(storage, 'all')
      t.is(found.corruptions, repaired.corruptions + repaired.corruptionsFixed)
      const again = check(storage)
      t.true([0, 3].includes(codeOf(again)), `case ${n}: ${again.findings.join('; ')}`)
      isMended = true
      openFvd(storage).close()
    } catch (error) {
      const { name, code } = error as ImageError
      t.true(name === 'ImageError' || name === 'SystemError', `case ${n}: ${(error as Error).stack}`)
      t.false(isMended && code === 'CORRUPT', `case ${n}, after the repair: ${(error as Error).message}`)
    }
    t.deepEqual(storage.leftOpen(), [])
  }
})

function makeFvdOn(host: SimulatedStorage, options: Record<string, string>): void {
  createImage(PATH, {
    format: 'fvd',
    size: CHUNKS * CHUNK,
    host,
    options: new Map(Object.entries({ ...COMPACT, ...options }).map(([key, value]) => [key, `${value}`])),
  })
}

function makeCopy(storage: SimulatedStorage): SimulatedStorage {
  const copy = new SimulatedStorage()
  for (const path of [PATH, '/images/base.raw'])
    if (storage.has(path)) copy.addFile(path, storage.contents(path).clone())
  copy.settle()
  return copy
}
