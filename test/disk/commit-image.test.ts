import test from 'ava'
import { ImageCommit } from '../../src/disk/commit-image.js'
import { createImage } from '../../src/disk/create.js'
import { ImageError } from '../../src/errors.js'
import { errno } from '../../src/libc/errno.js'
import { Budget } from '../support/budget.js'
import { fvdSpec, qedSpec, rawSpec } from '../support/geometries.js'
import type { ImageSpec } from '../support/image-chain.js'
import { BASE, OVERLAYS, Overlay } from '../support/overlays.js'
import { seeded } from '../support/random.js'
import { SimulatedStorage } from '../support/simulated-storage.js'
import { TestDisk } from '../support/test-disk.js'

const KIB = 1024

function commit({ built, spec, storage }: Overlay, keep = false): ImageCommit {
  const work = ImageCommit.open(built.path, { host: storage, format: spec.format, keep })
  for (const _ of work.copy());
  work.finish()
  return work
}

for (const name of ['QED over raw', 'flat FVD over raw', 'QED over compact FVD']) {
  for (const keep of [false, true]) {
    test(`${name}: an image that was not closed cleanly is committed as it is${keep ? ', and kept' : ''}`, t => {
      const overlay = new Overlay(OVERLAYS[name]!, seeded(t), 20, 'kill')
      commit(overlay, keep)
      overlay.mustBeInBase(overlay.storage)
      overlay.mustShowTheSame(overlay.storage)
      t.is(overlay.presentBytes(overlay.storage) > 0, keep)
    })
  }
}

for (const [name, spec] of Object.entries(OVERLAYS)) {
  test(`${name}: a commit brings everything into the base, and empties the image`, t => {
    const random = seeded(t)
    for (let n = 0, budget = new Budget(3); budget.next(); n++) {
      const overlay = new Overlay(spec, random.fork(n), 30)
      const { storage, built } = overlay
      const before = storage.contents(built.path).allocated()
      const work = commit(overlay)
      overlay.mustShowTheSame(storage, { mayLeak: false })
      overlay.mustBeInBase(storage)
      t.is(work.done, work.total)
      t.is(overlay.presentBytes(storage), 0)
      t.true(storage.contents(built.path).allocated() <= before)
      t.deepEqual(storage.leftOpen(), [])
    }
  })

  test(`${name}: with keep, a commit leaves the image as it was, byte for byte`, t => {
    const overlay = new Overlay(spec, seeded(t), 30)
    const { storage, built } = overlay
    const before = storage.contents(built.path).bytes()
    commit(overlay, true)
    t.deepEqual(storage.contents(built.path).bytes(), before)
    overlay.mustShowTheSame(storage)
    overlay.mustBeInBase(storage)
    t.deepEqual(storage.leftOpen(), [])
  })

  test(`${name}: a commit that is ended in the middle goes on from there`, t => {
    const random = seeded(t)
    const overlay = new Overlay(spec, random, 30)
    const { storage, built } = overlay
    const work = ImageCommit.open(built.path, { host: storage, format: spec.format })
    const steps = work.copy()
    for (let n = random.between(2, 12); n > 0; n--) steps.next()
    work.stop()
    t.deepEqual(storage.leftOpen(), [])
    overlay.mustShowTheSame(storage)
    commit(overlay)
    overlay.mustShowTheSame(storage, { mayLeak: false })
    overlay.mustBeInBase(storage)
  })
}

const LARGER: Record<string, ImageSpec> = {
  'QED over a raw that ends within a sector': qedSpec(160 * KIB, 8 * KIB, 1, { backing: rawSpec(100_001) }),
  'QED over QED over raw': qedSpec(160 * KIB, 4 * KIB, 1, {
    backing: qedSpec(100 * KIB, 8 * KIB, 1, { backing: rawSpec(140 * KIB) }),
  }),
  'FVD over FVD': fvdSpec(
    160 * KIB,
    { block: 4 * KIB, chunk: 12 * KIB, journal: 4 * KIB },
    fvdSpec(100 * KIB, { chunk: 8 * KIB, journal: 4 * KIB }),
  ),
}

for (const [name, spec] of Object.entries(LARGER)) {
  test(`${name}: a base that is smaller is made as large as the image first`, t => {
    const overlay = new Overlay(spec, seeded(t), 30)
    commit(overlay)
    overlay.mustShowTheSame(overlay.storage)
    overlay.mustBeInBase(overlay.storage)
    t.deepEqual(overlay.storage.leftOpen(), [])
  })
}

test('what lies behind the part of an FVD image that its bitmap covers stays in the image', t => {
  const spec = fvdSpec(160 * KIB, { block: 4 * KIB, chunk: 12 * KIB, journal: 4 * KIB }, rawSpec(101 * KIB))
  const overlay = new Overlay(spec, seeded(t), 30)
  const { storage } = overlay
  storage.contents(BASE).truncate(160 * KIB)
  commit(overlay)
  overlay.mustShowTheSame(storage)
  overlay.mustBeInBase(storage)
  t.deepEqual(storage.leftOpen(), [])
})

test('the journal of an emptied FVD image has no records', t => {
  const spec = fvdSpec(128 * KIB, { block: 4 * KIB, chunk: 12 * KIB, journal: 4 * KIB }, rawSpec(128 * KIB))
  const overlay = new Overlay(spec, seeded(t))
  const file = overlay.storage.contents(overlay.built.path)
  const view = new DataView(file.bytes(0, 4608).buffer)
  const offset = Number(view.getBigUint64(4284, true))
  t.false(file.isZero(offset, 4 * KIB))
  commit(overlay)
  t.true(file.isZero(offset, 4 * KIB))
})

test('what the base has already is not written again', t => {
  const overlay = new Overlay(OVERLAYS['QED over raw']!, seeded(t), 30)
  const { storage } = overlay
  commit(overlay, true)
  storage.forget()
  const work = commit(overlay, true)
  t.is(storage.countCalls('write', BASE), 0)
  t.is(work.done, work.total)
})

test('holes and zeros of the image become holes in the base', t => {
  const storage = new SimulatedStorage()
  storage.addFile('/v/base', new Uint8Array(1 << 20).fill(1))
  createImage('/v/a.qed', {
    host: storage,
    format: 'qed',
    size: null,
    backing: { name: 'base', format: 'raw' },
  })
  const disk = TestDisk.open('/v/a.qed', { host: storage, writable: true })
  disk.write(0, new Uint8Array(512 * KIB).fill(2))
  disk.zero(0, 256 * KIB)
  disk.zero(768 * KIB, 128 * KIB)
  disk.close()
  const work = ImageCommit.open('/v/a.qed', { host: storage })
  for (const _ of work.copy());
  work.finish()
  t.is(storage.contents('/v/base').allocated(), (1024 - 256 - 128) * KIB)
  t.is(work.total, 256 * KIB)
})

for (const kind of ['write', 'sync'] as const) {
  test(`a base that fails a ${kind} leaves the image as it was, and the next commit ends it`, t => {
    const overlay = new Overlay(OVERLAYS['QED over raw']!, seeded(t), 30)
    const { storage, built } = overlay
    storage.failNext(kind, errno.ENOSPC, { path: BASE, sticky: true })
    const work = ImageCommit.open(built.path, { host: storage })
    const error = t.throws(
      () => {
        for (const _ of work.copy());
        work.finish()
      },
      { instanceOf: ImageError },
    )
    t.regex(
      error!.message,
      /^\/images\/base1: has not got all that \/images\/image has: .*run the same command again$/,
    )
    t.is(error!.errno, errno.ENOSPC)
    work.drop()
    t.deepEqual(storage.leftOpen(), [])
    storage.clearFaults()
    overlay.mustShowTheSame(storage)
    commit(overlay)
    overlay.mustShowTheSame(storage, { mayLeak: false })
    overlay.mustBeInBase(storage)
  })
}

test('a commit is refused, and changes nothing, where the base cannot have it', t => {
  const storage = new SimulatedStorage()
  const make = (name: string, format: string, size: number | null, base: string | null, baseFormat = 'raw') =>
    createImage(`/v/${name}`, {
      host: storage,
      format,
      size,
      backing: base === null ? null : { name: base, format: baseFormat },
      options: new Map(
        Object.entries(name.startsWith('cache') ? { write_updates_base_img: 'writeback' } : {}),
      ),
    })
  storage.addFile('/v/base', new Uint8Array(64 * KIB))
  make('alone.qed', 'qed', 1 << 20, null)
  make('cache.fvd', 'fvd', null, 'base')
  make('top.qed', 'qed', null, 'cache.fvd', 'fvd')
  storage.settle()
  const refused = (name: string, pattern: RegExp) => {
    const error = t.throws(() => ImageCommit.open(`/v/${name}`, { host: storage }), {
      instanceOf: ImageError,
    })
    t.regex(error!.message, pattern)
    t.deepEqual(storage.record, [])
    t.deepEqual(storage.leftOpen(), [])
  }
  refused('alone.qed', /has no base/)
  refused('top.qed', /cache\.fvd: is the cache of its own base/)
  const other = TestDisk.open('/v/base', { host: storage, format: 'raw' })
  const error = t.throws(() => ImageCommit.open('/v/cache.fvd', { host: storage }), {
    instanceOf: ImageError,
  })
  t.is(error!.code, 'IN_USE')
  other.close()
})
