import test from 'ava'
import { At, fill, header64, makeFvd, openFvd, PATH, poke, story, tableOf } from './images.js'

const CHUNK = 4096
const COMPACT = { compact_image: 'on', chunk_size: CHUNK, storage_grow_unit: 4 * CHUNK }

/** Chunks 0 and 2 have storages 0 and 2; storage 1, full of old bytes, is nobody's. */
function withGap() {
  const storage = makeFvd({ options: COMPACT })
  const disk = openFvd(storage)
  disk.write(0, fill(3 * CHUNK, 0xee))
  disk.close()
  poke(storage, header64(storage, At.tableOffset) + 4, 0xffffffff)
  storage.settle()
  return storage
}

test('storage that a crash left to nobody is used again before the file grows, and shows none of its old bytes', t => {
  const storage = withGap()
  const before = storage.contents(PATH).size
  const disk = openFvd(storage)
  disk.write(CHUNK + 512, fill(512, 1))
  t.is(storage.contents(PATH).size, before)
  t.deepEqual(disk.read(CHUNK, 512), fill(512, 0))
  t.deepEqual(disk.read(CHUNK + 1024, CHUNK - 1024), fill(CHUNK - 1024, 0))
  disk.close()
  t.deepEqual(tableOf(storage, 3), [0, 1, 2])
})

test('the journal is wiped, durably, before the first such use', t => {
  const storage = withGap()
  storage.forget()
  const disk = openFvd(storage)
  const journal = header64(storage, At.journalOffset)
  const size = header64(storage, At.journalSize)
  t.deepEqual(story(storage), [`zero ${journal}+${size}`, 'sync', 'write 4300+4', 'sync'])
  disk.close()
})

test('the file grows by storage_grow_unit, in which new storage reads as zeros', t => {
  const storage = makeFvd({ options: COMPACT })
  const data = header64(storage, At.metadataSize)
  const disk = openFvd(storage)
  storage.forget()
  disk.write(0, fill(512, 1))
  t.deepEqual(story(storage), [`truncate ${data + 4 * CHUNK}`, `write ${data}+512`])
  storage.forget()
  disk.write(10 * CHUNK, fill(512, 1))
  t.deepEqual(story(storage), [`write ${data + CHUNK}+512`])
  disk.close()
})

test('what lies behind the largest storage in use, where an earlier session wrote, is zeroed first', t => {
  const storage = makeFvd({ options: COMPACT })
  const first = openFvd(storage)
  first.write(0, fill(3 * CHUNK, 0xee))
  // Nothing of it was flushed: the table knows no storage, the file is full of it.
  first.drop()
  const second = openFvd(storage)
  second.write(5 * CHUNK + 512, fill(512, 1))
  t.deepEqual(second.read(5 * CHUNK, 512), fill(512, 0))
  t.deepEqual(second.read(5 * CHUNK + 1024, CHUNK - 1024), fill(CHUNK - 1024, 0))
  second.close()
})

test('a data file that cannot grow is ENOSPC, and what is there stays usable', t => {
  const storage = makeFvd({ options: COMPACT })
  const disk = openFvd(storage)
  disk.write(0, fill(CHUNK, 1))
  storage.failNext('truncate', 22, { sticky: true })
  disk.write(CHUNK, fill(3 * CHUNK, 2))
  t.throws(() => disk.write(8 * CHUNK, fill(512, 3)), { message: /ENOSPC|no space/i })
  storage.clearFaults()
  disk.write(8 * CHUNK, fill(512, 3))
  disk.close()
})

test('zeroing a block of the base that shares its chunk zeroes the storage, too', t => {
  const storage = makeFvd({
    options: { ...COMPACT, chunk_size: 8192, storage_grow_unit: 8192, block_size: 4096 },
    baseSize: 65_536,
  })
  const first = openFvd(storage)
  first.write(0, fill(4096, 1))
  first.flush()
  // A copy of the second block that was never published: its bytes lie in the storage.
  storage.contents(PATH).write(header64(storage, At.metadataSize) + 4096, fill(4096, 0xee))
  first.zero(4096, 4096)
  t.deepEqual(first.read(0, 8192), Uint8Array.from([...fill(4096, 1), ...fill(4096, 0)]))
  first.close()
})

test('a chunk whose storage lies behind the end of the file is an error of its own when the image is only read', t => {
  const storage = makeFvd({ options: COMPACT })
  const disk = openFvd(storage)
  disk.write(0, fill(2 * CHUNK, 1))
  disk.close()
  poke(storage, header64(storage, At.tableOffset) + 4, 100)
  storage.settle()
  t.throws(() => openFvd(storage), { message: /storage of chunk 1 lies behind the end.*rawmount check/ })
  t.deepEqual(storage.record, [])
  const after = openFvd(storage, false)
  t.is(after.image.warnings.length, 1)
  t.deepEqual(after.read(0, CHUNK), fill(CHUNK, 1))
  t.throws(() => after.read(CHUNK, 512), { code: 'CORRUPT' })
  after.close()
})

test('storage that two chunks claim refuses writing', t => {
  const storage = makeFvd({ options: COMPACT })
  const disk = openFvd(storage)
  disk.write(0, fill(2 * CHUNK, 1))
  disk.close()
  poke(storage, header64(storage, At.tableOffset) + 4, 0)
  storage.settle()
  t.throws(() => openFvd(storage), { message: /storage of chunk 1 belongs to another chunk/ })
  t.deepEqual(storage.record, [])
})

test('an open whose barrier failed is done again as a whole by the next one', t => {
  const storage = makeFvd({ options: COMPACT })
  storage.failNext('sync', 5)
  t.throws(() => openFvd(storage), { message: /fdatasync/ })
  storage.forget()
  const disk = openFvd(storage)
  t.deepEqual(story(storage), ['write 4300+4', 'sync'])
  disk.close()
})
