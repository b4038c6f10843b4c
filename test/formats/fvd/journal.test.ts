import test from 'ava'
import { Random, seeded } from '../../support/random.js'
import {
  At,
  bitmapOf,
  fill,
  header64,
  isClean,
  journalOf,
  makeFvd,
  openFvd,
  poke,
  story,
  tableOf,
} from './images.js'

const KIB = 1024

test('a commit: data, barrier, the changed chunks and blocks in one sector of the journal, barrier', t => {
  const storage = makeFvd({
    options: { compact_image: 'on', chunk_size: 4096, block_size: 512 },
    baseSize: 64 * KIB,
  })
  const disk = openFvd(storage)
  const data = header64(storage, At.metadataSize)
  const journal = header64(storage, At.journalOffset)
  storage.forget()
  disk.write(8192, fill(4096, 1))
  disk.flush()
  t.deepEqual(story(storage).slice(1), [`write ${data}+4096`, 'sync', `write ${journal}+65536`, 'sync'])
  t.deepEqual(journalOf(storage).slice(0, 2), [['TABLE 2: 0', 'BITMAP 16+8'], []])
  storage.forget()
  disk.write(12_288, fill(4096, 1))
  disk.flush()
  t.deepEqual(story(storage).slice(1), ['sync', `write ${journal + 512}+512`, 'sync'])
  t.false(isClean(storage))
  disk.close()
})

test('with nothing pending a commit is one barrier', t => {
  const storage = makeFvd({ options: { compact_image: 'on' } })
  const disk = openFvd(storage)
  disk.write(0, fill(512, 1))
  disk.flush()
  storage.forget()
  disk.write(512, fill(512, 2))
  disk.flush()
  t.deepEqual(story(storage).slice(1), ['sync'])
  disk.close()
})

test('without a base, a sector takes 125 neighbours in one record', t => {
  const storage = makeFvd({ options: { compact_image: 'on', chunk_size: 4096 } })
  const disk = openFvd(storage)
  disk.write(0, fill(200 * 4096, 1))
  disk.flush()
  const [first, second] = journalOf(storage)
  t.regex(first!.join(), /^TABLE 0: 0 1 2 .* 124$/)
  t.regex(second!.join(), /^TABLE 125: 125 .* 199$/)
  disk.close()
})

test('with a base, a sector takes 121 neighbours, and their blocks behind them', t => {
  const storage = makeFvd({
    options: { compact_image: 'on', chunk_size: 4096, block_size: 4096 },
    baseSize: 1 << 20,
  })
  const disk = openFvd(storage)
  disk.write(0, fill(200 * 4096, 1))
  disk.flush()
  const [first, second] = journalOf(storage)
  t.regex(first!.join(), /^TABLE 0: 0 1 .* 120,BITMAP 0\+968$/)
  t.regex(second!.join(), /^TABLE 121: 121 .* 199,BITMAP 968\+632$/)
  disk.close()
})

test('the blocks of a flat image are a BITMAP a sector, which the end of the base cuts', t => {
  const storage = makeFvd({ options: { block_size: 4096 }, baseSize: 9 * KIB })
  const disk = openFvd(storage)
  disk.write(0, fill(512, 1))
  disk.write(8192, fill(512, 1))
  disk.flush()
  t.deepEqual(journalOf(storage).slice(0, 3), [['BITMAP 0+8'], ['BITMAP 16+2'], []])
  disk.close()
})

test('blocks that lie apart in a new chunk each have its entry in their sector, as either may be lost', t => {
  const storage = makeFvd({
    options: { compact_image: 'on', chunk_size: 16_384, block_size: 512 },
    baseSize: 64 * KIB,
  })
  const disk = openFvd(storage)
  disk.write(0, fill(512, 1))
  disk.write(4096, fill(512, 2))
  disk.flush()
  t.deepEqual(journalOf(storage).slice(0, 3), [
    ['TABLE 0: 0', 'BITMAP 0+1'],
    ['TABLE 0: 0', 'BITMAP 8+1'],
    [],
  ])
  disk.write(8192, fill(512, 3))
  disk.flush()
  t.deepEqual(journalOf(storage)[2], ['BITMAP 16+1'])
  disk.close()
})

test('a copy-on-write that crosses chunks notes all of them, wherever they lie', t => {
  const storage = makeFvd({
    options: { compact_image: 'on', chunk_size: 4096, block_size: 7680 },
    baseSize: 64 * KIB,
  })
  const disk = openFvd(storage)
  // Chunk 1 has storage first, so that the block's chunks are no neighbours.
  disk.write(48 * KIB, fill(512, 1))
  disk.write(512, fill(512, 2))
  disk.flush()
  const records = journalOf(storage).flat()
  const ids = records.filter(record => record.startsWith('TABLE')).length
  t.true(ids >= 2, records.join('; '))
  t.true(records.includes('BITMAP 0+15'), records.join('; '))
  disk.drop()
  const after = openFvd(storage, false)
  t.deepEqual(after.read(512, 512), fill(512, 2))
  after.close()
})

test('chunks of a block that do not fit a sector are durable before the block is', t => {
  const storage = makeFvd({
    size: 4 << 20,
    options: { compact_image: 'on', chunk_size: 4096, block_size: 1 << 20 },
    baseSize: 2 << 20,
  })
  const disk = openFvd(storage)
  disk.write(0, fill(512, 1))
  storage.forget()
  disk.flush()
  const kinds = story(storage).map(call => call.replace(/\d+\+/, ''))
  t.deepEqual(kinds, ['sync', 'write 65536', 'sync', 'sync', 'write 512', 'sync'])
  const sectors = journalOf(storage)
  t.deepEqual(
    sectors.slice(0, 4).map(records => records.map(record => record.slice(0, 6)).join()),
    ['TABLE ', 'TABLE ', 'TABLE ', 'BITMAP'],
  )
  disk.close()
})

test('a block that just does not fit a sector with its chunks, the first of the disk among them, waits for them', t => {
  const storage = makeFvd({
    size: 1200 * KIB,
    options: { compact_image: 'on', chunk_size: 4096, block_size: 1023 * 512, journal_size: 4096 },
    baseSize: 900 * KIB,
  })
  const disk = openFvd(storage)
  // Gives storage to the last chunk of the first block, and by the write to all but a few before it.
  disk.zero(0, 741_888)
  disk.write(0, fill(120 * 4096, 7))
  disk.flush()
  const sectors = journalOf(storage)
  t.deepEqual(
    sectors.flat().filter(record => !/^(TABLE|BITMAP) \d/.test(record)),
    [],
  )
  t.true(sectors.flat().includes('BITMAP 0+1023'), sectors.flat().join('; '))
  disk.drop()
  const after = openFvd(storage, false)
  t.deepEqual(after.read(0, 120 * 4096), fill(120 * 4096, 7))
  after.close()
})

test('a full journal begins again at its start, after table and then bitmap are in their places', t => {
  const storage = makeFvd({
    options: { compact_image: 'on', chunk_size: 4096, block_size: 4096, journal_size: 4096 },
    baseSize: 512 * KIB,
  })
  const disk = openFvd(storage)
  for (let n = 0; n < 8; n++) {
    disk.write(n * 8192, fill(4096, n))
    disk.flush()
  }
  t.deepEqual(bitmapOf(storage), [])
  storage.forget()
  disk.write(8 * 8192, fill(4096, 8))
  disk.flush()
  const [table, bitmap, journal] = [At.tableOffset, At.bitmapOffset, At.journalOffset].map(at =>
    header64(storage, at),
  )
  t.deepEqual(story(storage).slice(1), [
    `write ${table}+512`,
    'sync',
    `write ${bitmap}+512`,
    'sync',
    'sync',
    `write ${journal}+512`,
    'sync',
  ])
  t.deepEqual(bitmapOf(storage), [0, 2, 4, 6, 8, 10, 12, 14])
  t.deepEqual(
    tableOf(storage, 16).filter(entry => entry !== 0xffffffff),
    [0, 1, 2, 3, 4, 5, 6, 7],
  )
  t.deepEqual(journalOf(storage)[0], ['TABLE 16: 8', 'BITMAP 128+8'])
  disk.close()
})

test('a clean close leaves table and bitmap in their places, and the header says so last', t => {
  const storage = makeFvd({
    options: { compact_image: 'on', chunk_size: 4096, block_size: 4096 },
    baseSize: 64 * KIB,
  })
  const disk = openFvd(storage)
  disk.write(4096, fill(4096, 1))
  storage.forget()
  disk.close()
  t.is(story(storage).at(-2), 'write 4300+4')
  t.true(isClean(storage))
  t.deepEqual(bitmapOf(storage), [1])
  t.is(tableOf(storage, 2)[1], 0)
})

test('what a failed commit left undone is written in place by the next one', t => {
  const storage = makeFvd({
    options: { compact_image: 'on', chunk_size: 4096, block_size: 4096 },
    baseSize: 64 * KIB,
  })
  const disk = openFvd(storage)
  disk.write(4096, fill(4096, 1))
  storage.failNext('write', 5)
  t.throws(() => disk.flush(), { message: /EIO|input\/output/i })
  disk.write(16_384, fill(4096, 2))
  disk.flush()
  t.deepEqual(bitmapOf(storage), [1, 4])
  disk.drop()
  const after = openFvd(storage, false)
  t.deepEqual(after.read(4096, 4096), fill(4096, 1))
  t.deepEqual(after.read(16_384, 4096), fill(4096, 2))
  after.close()
})

test('every sector of the journal is one that the format allows, whatever was written', t => {
  const random = seeded(t)
  for (let n = 0; n < 40; n++) {
    const run = new Random(random.fork(n).seed)
    const storage = makeFvd({
      size: 2 << 20,
      options: {
        compact_image: 'on',
        chunk_size: 4096 * run.pick([1, 2, 7]),
        block_size: run.pick([512, 1536, 7680, 65536, 700 * 512]),
        journal_size: 1 << 20,
      },
      baseSize: 1 << 20,
    })
    const disk = openFvd(storage)
    for (let step = 0; step < 30; step++) {
      const offset = run.below(2 << 20)
      disk.write(offset, fill(Math.min(run.between(1, 40_000), (2 << 20) - offset), step))
      if (run.chance(0.2)) disk.flush()
    }
    disk.flush()
    for (const record of journalOf(storage).flat()) t.regex(record, /^(TABLE|BITMAP) \d/)
    disk.drop()
  }
})

test('records of a session before are replayed without harm', t => {
  const storage = makeFvd({ options: { compact_image: 'on', chunk_size: 4096 } })
  const first = openFvd(storage)
  first.write(0, fill(8192, 1))
  first.flush()
  first.close()
  const second = openFvd(storage)
  second.write(16_384, fill(4096, 2))
  second.flush()
  second.drop()
  const after = openFvd(storage)
  t.deepEqual(after.read(0, 8192), fill(8192, 1))
  t.deepEqual(after.read(16_384, 4096), fill(4096, 2))
  after.close()
})

test('records that were thrown away by a clean shutdown mark do not come back', t => {
  const storage = makeFvd({
    size: 4 << 20,
    options: { compact_image: 'on', chunk_size: 4096, journal_size: 1 << 20 },
  })
  const first = openFvd(storage)
  // A sector of the journal each: more of them than the next session writes over.
  for (let chunk = 0; chunk < 140; chunk++) {
    first.write(chunk * 4096, fill(4096, 1))
    first.flush()
  }
  first.drop()
  poke(storage, At.cleanShutdown, 1)
  const second = openFvd(storage)
  t.deepEqual(second.read(0, 140 * 4096), fill(140 * 4096, 0))
  // Takes the storage that the forgotten records name for other chunks.
  second.write(500 * 4096, fill(140 * 4096, 2))
  second.flush()
  second.drop()
  const after = openFvd(storage)
  t.deepEqual(after.read(0, 140 * 4096), fill(140 * 4096, 0))
  t.deepEqual(after.read(500 * 4096, 140 * 4096), fill(140 * 4096, 2))
  after.close()
})

test('a record that no writer makes refuses writing, and is left out of reading with a warning', t => {
  const storage = makeFvd({ options: { compact_image: 'on', chunk_size: 4096 } })
  const disk = openFvd(storage)
  disk.write(0, fill(4096, 1))
  disk.flush()
  disk.drop()
  poke(storage, header64(storage, At.journalOffset) + 512, 0xb4e6f7ac, 5000, 1, 3)
  storage.settle()
  t.throws(() => openFvd(storage), {
    message: /journal sector 1: a TABLE record names chunk 5000.*rawmount check/,
  })
  t.deepEqual(storage.record, [])
  const after = openFvd(storage, false)
  t.regex(after.image.warnings[0]!, /journal sector 1/)
  t.deepEqual(after.read(0, 4096), fill(4096, 1))
  after.close()
})
