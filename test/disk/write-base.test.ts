import test from 'ava'
import type { CopyRequest } from '../../src/disk/copying.js'
import { Disk } from '../../src/disk/disk.js'
import type { Layer } from '../../src/disk/layer.js'
import { openImage } from '../../src/disk/open.js'
import { writeBaseOf } from '../../src/disk/write-base.js'
import { errnoOf, ImageError } from '../../src/errors.js'
import type { OpenedImage } from '../../src/formats/format.js'
import { errno } from '../../src/libc/errno.js'
import { IoBuffer } from '../../src/libc/io-buffer.js'
import { COPY_ALL, TestCopier } from '../support/copying.js'
import { must } from '../support/exercise.js'
import { fvdSpec, qedSpec, rawSpec } from '../support/geometries.js'
import type { ImageSpec } from '../support/image-chain.js'
import { describeOperation, drawOperation, type Mixture } from '../support/operations.js'
import { Random, seeded } from '../support/random.js'
import { SimulatedStorage } from '../support/simulated-storage.js'
import { TestDisk } from '../support/test-disk.js'
import { CACHES, Cache, writing } from '../support/write-base.js'

const KIB = 1024
const MODES = ['writethrough', 'writeback'] as const
type Mode = (typeof MODES)[number]

/** "copy": a push, or a step of a copier. */
const EVERYTHING: Mixture = { write: 12, zero: 5, read: 3, flush: 3, reopen: 1, kill: 1, copy: 3 }

for (const mode of MODES) {
  for (const [name, spec] of Object.entries(CACHES)) {
    test(`${mode}, ${name}: what was flushed is in image and base, also after kills`, t => {
      const random = seeded(t)
      for (let n = 0; n < 12; n++) {
        const log: string[] = []
        try {
          exercise(spec, mode, random.fork(n), log, n % 3 === 2)
        } catch (error) {
          t.log(log.join('\n'))
          return t.fail(`run ${n}: ${(error as Error).stack}`)
        }
      }
      return t.pass()
    })
  }
}

function exercise(spec: ImageSpec, mode: Mode, random: Random, log: string[], copying: boolean): void {
  const storage = new SimulatedStorage()
  const cache = new Cache(storage, spec, random.fork(0))
  const { model, built } = cache
  const draws = random.fork(1)
  const request = copying ? { ...COPY_ALL, detach: false, writeBase: mode } : writing(mode)
  const copiers: TestCopier[] = []
  const open = () => {
    const disk = cache.open(storage, request)
    if (copying) copiers.push(new TestCopier(disk.image))
    return disk
  }
  let disk = open()
  for (let version = 1; version <= 40; version++) {
    const operation = drawOperation(draws, built.windows, spec.unit, EVERYTHING)
    log.push(describeOperation(operation))
    if ('offset' in operation) {
      const { kind, offset, length } = operation
      if (kind === 'write') disk.write(offset, model.write(offset, length, version))
      if (kind === 'zero') {
        disk.zero(offset, length)
        model.zero(offset, length)
      }
      must(model.compare(disk.read(offset, length), offset))
    } else if (operation.kind === 'flush') {
      disk.flush()
      model.flush()
    } else if (operation.kind === 'copy' && copying) {
      copiers.at(-1)!.steps(3)
    } else {
      // What the mode promises for the base holds whatever becomes of the process.
      let promised = mode === 'writethrough'
      if (operation.kind === 'copy') {
        disk.flush()
        model.flush()
        disk.image.disk.baseWriter!.push()
        promised = true
      }
      if (operation.kind === 'reopen') {
        disk.close()
        model.flush()
        promised = true
      } else disk.drop()
      cache.repair(storage)
      if (promised) cache.mustBeInBase(storage)
      disk = open()
      cache.adopt(disk)
      // Brought up to date by the open, whatever was lost.
      if (draws.chance(0.5)) continue
      disk.drop()
      cache.repair(storage)
      disk = open()
      cache.adopt(disk)
      disk.close()
      cache.mustBeInBase(storage)
      disk = open()
    }
  }
  disk.close()
  model.flush()
  cache.mustBeInBase(storage)
  const left = cache.open(storage, writing('no'))
  cache.adopt(left)
  left.close()
  if (storage.leftOpen().length > 0) throw new Error(`left open: ${storage.leftOpen()}`)
}

const SPEC = qedSpec(128 * KIB, 4 * KIB, 1, { backing: rawSpec(96 * KIB) })
const BASE = '/images/base1'

function start(mode: 'image' | Mode | 'no', spec = SPEC) {
  const storage = new SimulatedStorage()
  const cache = new Cache(storage, spec, new Random(7))
  storage.settle()
  const disk = cache.open(storage, writing(mode))
  return { storage, cache, disk, model: cache.model }
}

for (const mode of MODES) {
  test(`${mode}: what is behind the end of the base goes to the image alone`, t => {
    const { storage, cache, disk, model } = start(mode)
    storage.forget()
    disk.write(96 * KIB, model.write(96 * KIB, 4 * KIB, 1))
    disk.write(95 * KIB, model.write(95 * KIB, 2 * KIB, 2))
    disk.zero(94 * KIB + 7, 3 * KIB)
    model.zero(94 * KIB + 7, 3 * KIB)
    disk.close()
    model.flush()
    t.true(storage.calls.every(({ path, offset, length }) => path !== BASE || offset + length <= 96 * KIB))
    t.is(storage.contents(BASE).size, 96 * KIB)
    t.notThrows(() => cache.mustBeInBase(storage))
  })

  test(`${mode}: once the mode is off again, the base is not written, and the image is an overlay as ever`, t => {
    const { storage, cache, disk, model } = start(mode)
    disk.write(0, model.write(0, 10 * KIB, 1))
    disk.close()
    const before = Buffer.from(storage.contents(BASE).bytes(0, 96 * KIB))
    const again = cache.open(storage, writing('no'))
    again.write(3000, model.write(3000, 9000, 2))
    again.zero(50_000, 5000)
    model.zero(50_000, 5000)
    must(model.compare(again.read(0, again.size), 0))
    again.close()
    t.deepEqual(Buffer.from(storage.contents(BASE).bytes(0, 96 * KIB)), before)
  })

  test(`${mode}: nobody else may open the base meanwhile, and everybody may afterwards`, t => {
    const { storage, cache, disk } = start(mode)
    for (const writable of [false, true]) {
      const error = t.throws(() => openImage(BASE, { host: storage, format: 'raw', writable }), {
        instanceOf: ImageError,
      })
      t.is(error?.code, 'IN_USE')
    }
    disk.close()
    const base = cache.openBase(storage)
    const error = t.throws(() => cache.open(storage, writing(mode)), { instanceOf: ImageError })
    t.is(error?.code, 'IN_USE')
    t.true(error?.message.startsWith(BASE))
    base.close()
    t.deepEqual(storage.leftOpen(), [])
  })
}

test('a normal open neither writes to the base nor locks it for writing', t => {
  const { storage, cache, disk, model } = start('image')
  t.is(disk.image.disk.baseWriter, null)
  const base = cache.openBase(storage)
  disk.write(0, model.write(0, KIB, 1))
  base.close()
  disk.close()
  t.is(storage.countCalls('write', BASE), 0)
})

for (const [kind, code] of [
  ['write', errno.EIO],
  ['write', errno.ENOSPC],
  ['zero', errno.EIO],
] as const) {
  test(`writethrough: a base that fails to ${kind} (errno ${code}) fails the guest's request, and every flush until the next mount, which puts it right`, t => {
    const { storage, cache, disk, model } = start('writethrough')
    storage.failNext(kind, code, { path: BASE })
    const change = () =>
      kind === 'write' ? disk.write(5000, model.write(5000, 6000, 1)) : disk.zero(8 * KIB, 4 * KIB)
    t.is(errnoOf(t.throws(change)), code)
    if (kind === 'zero') model.zero(8 * KIB, 4 * KIB)
    for (let n = 0; n < 2; n++) {
      const error = t.throws(() => disk.flush(), { instanceOf: ImageError })
      t.is(error?.errno, code)
      t.is(
        error?.message,
        '/images/base1: an earlier write to this base failed, so the image has what the base has not; unmount, put the storage right, and mount with --write-base=writethrough again',
      )
    }
    // It goes on for who only reads and writes.
    disk.write(20_000, model.write(20_000, 3000, 2))
    const error = t.throws(() => disk.close(), { instanceOf: ImageError })
    t.true(error?.message.includes('an earlier write to this base failed'))
    t.deepEqual(storage.leftOpen(), [])
    const again = cache.open(storage, writing('writethrough'))
    cache.adopt(again)
    again.flush()
    model.flush()
    again.drop()
    t.notThrows(() => cache.mustBeInBase(storage))
  })
}

test('writethrough: a barrier that the base fails is an error of the flush, and of every later one', t => {
  const { storage, disk, model } = start('writethrough')
  disk.write(0, model.write(0, KIB, 1))
  storage.failNext('sync', errno.EIO, { path: BASE })
  t.is(errnoOf(t.throws(() => disk.flush())), errno.EIO)
  t.is(errnoOf(t.throws(() => disk.flush())), errno.EIO)
  t.throws(() => disk.close())
})

test('writethrough: a write that the image fails leaves base and image equal after the next flush', t => {
  for (let nth = 1; nth <= 2; nth++) {
    const { storage, cache, disk, model } = start('writethrough')
    disk.write(0, model.write(0, 16 * KIB, 1))
    disk.flush()
    model.flush()
    storage.failNext('write', errno.EIO, { path: cache.built.path, nth, partial: true })
    const bytes = model.write(2 * KIB, 20 * KIB, 2)
    t.throws(() => disk.write(2 * KIB, bytes))
    cache.adopt(disk)
    disk.flush()
    model.flush()
    disk.drop()
    t.notThrows(() => cache.mustBeInBase(storage))
  }
})

test('writeback: a base that fails is behind, not in the way; with space again it gets everything', t => {
  const { storage, cache, disk, model } = start('writeback')
  storage.failNext('write', errno.ENOSPC, { path: BASE, sticky: true })
  disk.write(0, model.write(0, 50 * KIB, 1))
  disk.flush()
  const writer = disk.image.disk.baseWriter!
  t.is(writer.behind, 52 * KIB)
  t.is(errnoOf(t.throws(() => writer.push())), errno.ENOSPC)
  disk.write(9000, model.write(9000, 5000, 2))
  disk.flush()
  t.is(errnoOf(t.throws(() => writer.push())), errno.ENOSPC)
  storage.clearFaults()
  writer.push()
  t.is(writer.behind, 0)
  model.flush()
  disk.drop()
  t.notThrows(() => cache.mustBeInBase(storage))
})

test('writeback: a close that cannot write to the base says so, the image keeps everything, and stays marked', t => {
  const spec = fvdSpec(128 * KIB, { block: 4 * KIB, chunk: 16 * KIB, journal: 8 * KIB }, rawSpec(96 * KIB))
  const { storage, cache, disk, model } = start('writeback', spec)
  disk.write(0, model.write(0, 50 * KIB, 1))
  storage.failNext('write', errno.EIO, { path: BASE, sticky: true })
  const error = t.throws(() => disk.close(), { instanceOf: ImageError })
  t.is(error?.errno, errno.EIO)
  t.regex(
    error?.message ?? '',
    /^\/images\/base1: has not got everything that was written: .*EIO.*; the image has it: put the storage right, and mount with --write-base=writeback again$/,
  )
  t.deepEqual(storage.leftOpen(), [])
  model.flush()
  const reading = TestDisk.open(cache.built.path, { host: storage, format: 'fvd' })
  t.true(reading.image.chain[0]!.info.dirty)
  must(model.compare(reading.read(0, reading.size), 0))
  reading.close()
  storage.clearFaults()
  cache.open(storage, writing('writeback')).close()
  t.notThrows(() => cache.mustBeInBase(storage))
})

test('writeback: a push gives the base the disk as it was at one instant, whatever is written meanwhile', t => {
  const { storage, cache, disk, model } = start('writeback')
  const write = (to: Disk, offset: number, version: number) => {
    const bytes = model.write(offset, 4 * KIB, version)
    const buffer = new IoBuffer(bytes.length)
    buffer.bytes.set(bytes)
    to.write(offset, bytes.length, buffer, 0)
  }
  // As another thread sees the same disk.
  const { disk: first } = disk.image
  const second = new Disk(Reflect.get(first, 'layers') as Layer[], first.describe())
  for (const unit of [0, 8, 16]) write(first, unit * 4 * KIB, 1)
  const then = model.clone()
  let between = 0
  storage.interfere = ({ kind, path }) => {
    if (kind === 'write' && path === BASE && between++ === 0) {
      write(second, 16 * 4 * KIB, 2)
      write(second, 4 * 4 * KIB, 2)
    }
    return 'proceed'
  }
  first.baseWriter!.push()
  storage.interfere = null
  t.true(between > 2)
  must(model.compare(disk.read(0, disk.size), 0))
  disk.flush()
  disk.drop()
  then.flush()
  t.notThrows(() => cache.mustBeInBase(storage, then))
  cache.open(storage, writing('writeback')).close()
  model.flush()
  t.notThrows(() => cache.mustBeInBase(storage))
})

test('an image that was written without its base being told brings the base up to date when the mode is asked for', t => {
  for (const mode of MODES) {
    const { storage, cache, disk, model } = start('no')
    disk.write(0, model.write(0, 30 * KIB, 1))
    disk.zero(40 * KIB, 20 * KIB)
    model.zero(40 * KIB, 20 * KIB)
    disk.close()
    model.flush()
    t.throws(() => cache.mustBeInBase(storage))
    const again = cache.open(storage, writing(mode))
    again.drop()
    t.notThrows(() => cache.mustBeInBase(storage))
    // What is equal is not written.
    storage.forget()
    cache.open(storage, writing(mode)).drop()
    t.is(storage.countCalls('write', BASE) + storage.countCalls('zero', BASE), 0)
  }
})

const CACHE_SPEC: ImageSpec = {
  ...fvdSpec(128 * KIB, { block: 4 * KIB, chunk: 16 * KIB, journal: 8 * KIB }, rawSpec(96 * KIB)),
}

test('an FVD image whose header has the mode compares with its base only when it was not closed cleanly', t => {
  const spec = { ...CACHE_SPEC, options: { ...CACHE_SPEC.options, write_updates_base_img: 'writeback' } }
  const { storage, cache, disk, model } = start('image', spec)
  t.is(disk.image.disk.baseWriter?.mode, 'writeback')
  disk.write(0, model.write(0, 30 * KIB, 1))
  disk.flush()
  model.flush()
  disk.drop()
  t.throws(() => cache.mustBeInBase(storage))
  const second = cache.open(storage, writing('image'))
  t.is(second.image.disk.baseWriter?.behind, 0)
  second.close()
  t.notThrows(() => cache.mustBeInBase(storage))
  storage.forget()
  cache.open(storage, writing('image')).close()
  t.is(storage.countCalls('read', BASE), 0)
})

test('an image whose header has the mode warns who writes it without', t => {
  const spec = { ...CACHE_SPEC, options: { ...CACHE_SPEC.options, write_updates_base_img: 'writethrough' } }
  const { storage, disk, cache } = start('no', spec)
  t.deepEqual(disk.image.warnings, [
    '/images/image: its header wants writes to go to the base, too (write_updates_base_img=writethrough), and what is written now does not; next time say --write-base=writethrough, by which the base gets it',
  ])
  disk.close()
  const reading = TestDisk.open(cache.built.path, { host: storage, format: 'fvd' })
  t.deepEqual(reading.image.warnings, [])
  reading.close()
})

test('the mode is refused, in words and without a change, where it cannot be', t => {
  const refused = (spec: ImageSpec, request: CopyRequest, message: string) => {
    const storage = new SimulatedStorage()
    const cache = new Cache(storage, spec, new Random(1))
    storage.settle()
    const error = t.throws(() => cache.open(storage, request), { instanceOf: ImageError })
    t.is(error?.message, message)
    t.is(storage.record.length, 0)
    t.deepEqual(storage.leftOpen(), [])
  }
  refused(
    SPEC,
    writing('writeback', { detach: true }),
    '/images/image: --detach takes the base away, and writes are to go there (writeback); drop --detach, or say --write-base=no',
  )
  for (const spec of [qedSpec(128 * KIB, 4 * KIB, 1), fvdSpec(128 * KIB, { block: 4 * KIB })]) {
    refused(
      { ...spec, backing: rawSpec(100_001) },
      writing('writethrough'),
      '/images/base1: writes cannot go to this base (writethrough), as it ends within a sector; make it longer with "truncate -s 100352", or say --write-base=no',
    )
  }
  const remote = { backing: { name: 'https://images/base', format: 'raw' } } as OpenedImage
  t.throws(() => writeBaseOf('vm', remote, writing('writeback')), {
    instanceOf: ImageError,
    message: 'vm: its base lies on a web server, and can only be read (writeback); say --write-base=no',
  })
  const storage = new SimulatedStorage()
  storage.addFile('/images/raw', new Uint8Array(512))
  const alone = t.throws(
    () =>
      openImage('/images/raw', {
        host: storage,
        format: 'raw',
        writable: true,
        copying: writing('writethrough'),
      }),
    { instanceOf: ImageError },
  )
  t.is(
    alone?.message,
    '/images/raw: has no base that writes could go to, or needs it no more; leave out --write-base=writethrough',
  )
})

test('an open that the image fails leaves a base that was opened for writing closed cleanly', t => {
  const spec = fvdSpec(64 * KIB, { block: 4 * KIB }, fvdSpec(64 * KIB, { chunk: 4 * KIB }))
  const storage = new SimulatedStorage()
  const cache = new Cache(storage, spec, new Random(3))
  storage.forget()
  storage.failNext('write', errno.EIO, { path: cache.built.path, sticky: true })
  t.is(errnoOf(t.throws(() => cache.open(storage, writing('writethrough')))), errno.EIO)
  t.true(storage.countCalls('write', BASE) > 0)
  t.deepEqual(storage.leftOpen(), [])
  const base = cache.openBase(storage)
  t.false(base.image.chain[0]!.info.dirty)
  base.close()
})

test('what the base cannot give or take while it is compared is an error of the open', t => {
  const { storage, cache, disk, model } = start('no')
  disk.write(0, model.write(0, 30 * KIB, 1))
  disk.close()
  for (const kind of ['read', 'write', 'sync'] as const) {
    storage.failNext(kind, errno.EIO, { path: BASE })
    const error = t.throws(() => cache.open(storage, writing('writeback')), { instanceOf: ImageError })
    t.regex(
      error?.message ?? '',
      /^\/images\/base1: cannot be brought up to date with the image above it: .*; put its storage right, or mount with --write-base=no$/,
    )
    t.deepEqual(storage.leftOpen(), [])
    storage.clearFaults()
  }
})
