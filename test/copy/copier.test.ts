import test from 'ava'
import type { CopyRequest } from '../../src/disk/copying.js'
import { createImage } from '../../src/disk/create.js'
import { openImage } from '../../src/disk/open.js'
import { errno, SystemError } from '../../src/libc/errno.js'
import { Gate } from '../../src/shared/gate.js'
import { COPY_ALL, TestCopier } from '../support/copying.js'
import { pattern } from '../support/pattern.js'
import { type Call, SimulatedStorage } from '../support/simulated-storage.js'
import { TestDisk } from '../support/test-disk.js'

const KIB = 1024
const BLOCK = 64 * KIB
const SIZE = 32 * BLOCK
const IMAGE = '/images/image'
const BASE = '/images/base'

const OPTIONS = {
  fvd: { compact_image: 'on', chunk_size: '64K', block_size: '64K', journal_size: '64K' },
  qed: { cluster_size: '64K' },
}

/** An empty image over a base without a hole, open for copying; `expected`: what it shows. */
function start({
  format = 'fvd',
  request = COPY_ALL,
}: {
  format?: 'fvd' | 'qed'
  request?: CopyRequest
} = {}) {
  const storage = new SimulatedStorage()
  const expected = pattern(0, SIZE, 1, 1)
  storage.addFile(BASE, expected.slice())
  const options = new Map(Object.entries(OPTIONS[format]))
  createImage(IMAGE, { format, size: SIZE, host: storage, backing: { name: BASE, format: 'raw' }, options })
  const disk = TestDisk.open(IMAGE, { host: storage, writable: true, copying: request })
  const write = (offset: number, length: number) => {
    const bytes = pattern(offset, length, 2, 0)
    disk.write(offset, bytes)
    expected.set(bytes, offset)
  }
  const isRight = () => Buffer.compare(disk.read(0, SIZE), expected) === 0
  storage.forget()
  return { storage, expected, disk, write, isRight, copier: new TestCopier(disk.image) }
}

const isBaseRead = ({ kind, path }: Call) => kind === 'read' && path === BASE

function fail(code: number, call: Call): never {
  throw new SystemError(code, call.kind, call.path)
}

/** What the image shows by itself, when its base is gone. */
function withoutBase(storage: SimulatedStorage): Uint8Array {
  storage.remove(BASE)
  const alone = TestDisk.open(IMAGE, { host: storage })
  try {
    return alone.read(0, SIZE)
  } finally {
    alone.close()
  }
}

/** The name of the base in the header; null without one. */
function baseOf(storage: SimulatedStorage): string | null {
  const image = openImage(IMAGE, { host: storage })
  image.close()
  return image.chain[0]!.backingName
}

for (const format of ['fvd', 'qed'] as const) {
  test(`${format}: when prefetching is done, the base can go while the image is open, and is not missed afterwards`, t => {
    const { storage, expected, disk, isRight, copier } = start({ format })
    copier.run()
    t.is(copier.progress.state, 'done')
    disk.image.letGoOfBases()
    t.true(isRight())
    disk.close()
    t.is(Buffer.compare(withoutBase(storage), expected), 0)
  })
}

test('QED keeps the name of its base unless it is asked to detach', t => {
  const { storage, disk, copier } = start({ format: 'qed', request: { ...COPY_ALL, detach: false } })
  copier.run()
  t.is(copier.progress.state, 'done')
  disk.close()
  t.is(baseOf(storage), BASE)
})

test('each byte of the base is read once, whoever reads it: the guest, a partial write, or the prefetcher', t => {
  const { storage, disk, write, isRight, copier } = start()
  for (let n = 0; n < 8; n++) disk.read(n * BLOCK + 512, 4096)
  write(3 * BLOCK + 100, 50)
  disk.read(3 * BLOCK, BLOCK)
  copier.run()
  const seen = new Set<number>()
  for (const { offset, length } of storage.calls.filter(isBaseRead)) {
    for (let at = offset; at < offset + length; at += BLOCK) {
      t.false(seen.has(at), `block at ${at}`)
      seen.add(at)
    }
  }
  t.is(seen.size, SIZE / BLOCK)
  t.true(isRight())
  disk.close()
})

test('what does not fit the ring is read and not kept', t => {
  const { storage, disk, copier } = start({ request: { ...COPY_ALL, prefetch: 'off', detach: false } })
  // 2,000,000 bytes take one piece of 1 MiB, and not a second one.
  disk.read(0, SIZE)
  copier.run()
  storage.forget()
  disk.read(0, SIZE)
  const again = storage.calls.filter(isBaseRead)
  t.deepEqual(
    again.map(({ offset, length }) => [offset, length]),
    [[SIZE / 2, SIZE / 2]],
  )
  disk.close()
})

test('a guest write after a read is not overwritten by what was read', t => {
  const { disk, expected, write, isRight, copier } = start()
  disk.read(0, 4 * BLOCK)
  write(BLOCK, BLOCK)
  write(2 * BLOCK + 1, 1)
  disk.zero(0, BLOCK)
  expected.fill(0, 0, BLOCK)
  copier.run()
  t.true(isRight())
  disk.close()
})

test('zeros in the base take no storage in the image', t => {
  const { storage, expected, disk, isRight, copier } = start()
  storage.contents(BASE).write(4 * BLOCK, new Uint8Array(8 * BLOCK))
  expected.fill(0, 4 * BLOCK, 12 * BLOCK)
  copier.run()
  const data = 80 * KIB // behind header, bitmap, table and journal
  const written = storage.calls.filter(({ kind, offset }) => kind === 'write' && offset >= data)
  t.is(
    written.reduce((sum, { length }) => sum + length, 0),
    SIZE - 8 * BLOCK,
  )
  t.true(isRight())
  disk.close()
})

test('a base that fails is asked again with growing pauses, then prefetching pauses and says why, and goes on when it is back', t => {
  const { storage, disk, isRight, copier } = start()
  storage.interfere = call => (isBaseRead(call) ? fail(errno.EIO, call) : 'proceed')
  const before = copier.time
  copier.run()
  t.is(copier.progress.state, 'paused')
  t.regex(copier.progress.reason!, /^\/images\/base: read: .*EIO.*; trying again every 5 s$/)
  t.true(copier.time - before >= 100 + 400 + 1600)
  t.throws(() => disk.read(0, 512), { message: /EIO/ })
  storage.interfere = () => 'proceed'
  copier.time += 30_000
  copier.run()
  t.is(copier.progress.state, 'done')
  t.true(isRight())
  disk.close()
})

test('one bad place of the base holds up nothing else, and keeps the image from being called complete', t => {
  const { storage, disk, copier } = start()
  const bad = 5 * BLOCK
  storage.interfere = call =>
    isBaseRead(call) && call.offset <= bad && call.offset + call.length > bad
      ? fail(errno.EIO, call)
      : 'proceed'
  for (let n = 0; n < 200; n++) copier.step()
  t.is(copier.progress.state, 'paused')
  t.is(disk.image.disk.copies!.nextAbsent(SIZE / 2, SIZE), -1)
  disk.close()
  t.is(baseOf(storage), BASE)
})

test('an image without room pauses prefetching at once and says so; reads go on, and nothing is lost', t => {
  const { storage, disk, isRight, copier } = start()
  storage.interfere = call =>
    (call.kind === 'write' || call.kind === 'truncate') && call.path === IMAGE
      ? fail(errno.ENOSPC, call)
      : 'proceed'
  disk.read(0, 4096)
  const before = copier.time
  copier.run()
  t.is(copier.progress.state, 'paused')
  t.true(copier.time - before < 100, 'not retried')
  t.regex(copier.progress.reason!, /ENOSPC/)
  t.true(isRight())
  storage.interfere = () => 'proceed'
  copier.time += 30_000
  copier.run()
  t.is(copier.progress.state, 'done')
  t.true(isRight())
  disk.close()
})

test('a block that the walk left behind is found before the image is called complete', t => {
  const { storage, expected, disk, copier } = start()
  let failed = false
  storage.interfere = call => {
    if (failed || !isBaseRead(call)) return 'proceed'
    failed = true
    return fail(errno.EIO, call)
  }
  copier.run()
  t.true(failed)
  t.is(copier.progress.state, 'done')
  disk.close()
  t.is(Buffer.compare(withoutBase(storage), expected), 0)
})

test('the profile is fetched before the rest, in its order', t => {
  const { storage, disk, isRight } = start({ request: { ...COPY_ALL, prefetchProfile: 'on' } })
  const copier = new TestCopier(disk.image, [
    { offset: 20 * BLOCK + 5, length: 10 },
    { offset: 3 * BLOCK, length: 2 * BLOCK },
  ])
  copier.run()
  t.deepEqual(
    storage.calls
      .filter(isBaseRead)
      .slice(0, 2)
      .map(({ offset, length }) => [offset, length]),
    [
      [20 * BLOCK, BLOCK],
      [3 * BLOCK, 2 * BLOCK],
    ],
  )
  t.is(copier.progress.state, 'done')
  t.true(isRight())
  disk.close()
})

test('the profile alone leaves the rest in the base', t => {
  const { disk } = start({ request: { ...COPY_ALL, prefetch: 'off', detach: false, prefetchProfile: 'on' } })
  const copier = new TestCopier(disk.image, [{ offset: 0, length: 1 }])
  copier.run()
  t.is(copier.progress.state, 'off')
  t.is(copier.progress.reason, 'the profile was fetched, and no more is asked for')
  t.is(disk.image.disk.copies!.nextAbsent(0, SIZE), BLOCK)
  disk.close()
})

test('a base that becomes shorter is an error, and its missing bytes are not kept as zeros', t => {
  const { storage, disk, copier } = start()
  storage.contents(BASE).truncate(SIZE / 2)
  copier.run()
  t.is(copier.progress.state, 'paused')
  t.regex(copier.progress.reason!, /base: has become shorter since it was opened/)
  t.throws(() => disk.read(SIZE - BLOCK, BLOCK), { message: /has become shorter/ })
  disk.close()
})

test('nothing is stored any more when the gate is closed', t => {
  const { storage, disk, copier } = start()
  disk.read(0, BLOCK)
  new Gate(disk.image.disk.describe().copying!.gate).close()
  storage.forget()
  copier.steps(5)
  t.false(storage.calls.some(({ kind }) => kind === 'write'))
  disk.close()
})
