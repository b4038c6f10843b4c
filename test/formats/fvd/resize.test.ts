import test from 'ava'
import { checkImage } from '../../../src/disk/check.js'
import { openImage } from '../../../src/disk/open.js'
import { resizeImage } from '../../../src/disk/resize.js'
import { updateImage } from '../../../src/disk/update.js'
import { IN_CHANGE, RECORD } from '../../../src/formats/fvd/header-switch.js'
import type { SimulatedStorage } from '../../support/simulated-storage.js'
import { At, fill, header32, header64, makeFvd, openFvd, PATH, poke, tableOf } from './images.js'

const KIB = 1024
const MIB = 1024 * KIB
const EMPTY = 0xffffffff

test('a table that grows takes from a journal that can spare it, and all new entries are empty', t => {
  const host = makeFvd({
    size: MIB,
    options: { compact_image: 'on', chunk_size: 4096, journal_size: 2 * MIB },
  })
  const [table, journal, size] = [At.tableOffset, At.journalOffset, At.journalSize].map(at =>
    header64(host, at),
  )
  resizeImage(PATH, 5 * MIB, { host })
  t.is(header64(host, At.tableOffset), table)
  t.is(header64(host, At.journalOffset), journal! + 4096)
  t.is(header64(host, At.journalSize), size! - 4096)
  t.true(tableOf(host, 2048).every(entry => entry === EMPTY))
})

test('a table without room moves, and the chunks that were in its way with it', t => {
  const host = makeFvd({
    size: MIB,
    options: { compact_image: 'on', chunk_size: 4096, journal_size: 4096 },
  })
  const disk = openFvd(host)
  for (let chunk = 0; chunk < 8; chunk++) disk.write(chunk * 8192, fill(4096, 1 + chunk))
  disk.close()
  const [table, metadata] = [header64(host, At.tableOffset), header64(host, At.metadataSize)]
  resizeImage(PATH, 9 * MIB, { host })
  t.is(header64(host, At.tableOffset), metadata)
  t.true(header64(host, At.tableOffset) > table)
  // At least a sector for each 121 chunks.
  t.true(header64(host, At.journalSize) >= Math.ceil(2304 / 121) * 512)
  const after = openFvd(host, false)
  for (let chunk = 0; chunk < 8; chunk++) t.deepEqual(after.read(chunk * 8192, 4096), fill(4096, 1 + chunk))
  after.close()
  t.is(checkImage(PATH, { host }).report!.leaks, 0)
})

test('of a prefetch profile a smaller disk keeps what lies on it', t => {
  const host = makeFvd({ size: MIB, baseSize: MIB, options: { profile_size: 4096 } })
  const image = openImage(PATH, { host, writable: true })
  image.profile!.write([
    { offset: 0, length: 4096 },
    { offset: 500 * KIB, length: 64 * KIB },
    { offset: 900 * KIB, length: 4096 },
  ])
  image.close()
  resizeImage(PATH, 512 * KIB, { host, shrink: true, force: true })
  const after = openImage(PATH, { host })
  t.deepEqual(after.profile!.read(), [
    { offset: 0, length: 4096 },
    { offset: 500 * KIB, length: 12 * KIB },
  ])
  after.close()
})

test('a change that stopped before its record counts for nothing, and the next who writes ends it', t => {
  const ends: ((host: SimulatedStorage) => void)[] = [
    host => openFvd(host).close(),
    host => void updateImage(PATH, new Map([['need_zero_init', '1']]), { host }),
    host => void checkImage(PATH, { host, repair: 'all' }),
    host => void resizeImage(PATH, 2 * MIB, { host }),
  ]
  for (const end of ends) {
    const host = makeFvd({ size: MIB, options: { compact_image: 'on' } })
    poke(host, 4, IN_CHANGE)
    const disk = openFvd(host, false)
    t.is(disk.size, MIB)
    disk.close()
    t.is(header32(host, 4), IN_CHANGE)
    end(host)
    t.is(header32(host, 4), 1)
  }
})

test('a record that cannot be one counts for nothing', t => {
  // How many sectors, and the first of them.
  for (const [count, sector] of [
    [7, 1],
    [0xffffffff, 1],
    [1, 9],
    [1, 0xffffffff],
  ] as const) {
    const host = makeFvd({ size: MIB, options: { compact_image: 'on' } })
    host.contents(PATH).write(RECORD.at, new TextEncoder().encode('FVD new sectors\n'))
    poke(host, RECORD.at + 16, count)
    poke(host, RECORD.at + 20, sector)
    poke(host, 4, IN_CHANGE)
    const disk = openFvd(host)
    t.is(disk.size, MIB)
    disk.close()
    t.is(header32(host, 4), 1)
  }
})

test('an image whose header has no free sector behind it is not resized where that takes one', t => {
  const host = makeFvd({ size: MIB, options: { compact_image: 'on', journal_size: 0 } })
  poke(host, At.tableOffset, RECORD.at, 0)
  host.contents(PATH).write(RECORD.at, fill(4096, 0xff))
  t.throws(() => resizeImage(PATH, 2 * MIB, { host }), { code: 'INVALID', message: /no free sector/ })
  openFvd(host, false).close()
})
