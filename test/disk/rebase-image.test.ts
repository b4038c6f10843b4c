import test from 'ava'
import { renameBase } from '../../src/disk/backing-name.js'
import { createImage } from '../../src/disk/create.js'
import { inspectImage } from '../../src/disk/inspect.js'
import { ImageRebase } from '../../src/disk/rebase-image.js'
import { ImageError } from '../../src/errors.js'
import type { BackingReference } from '../../src/formats/format.js'
import { errno } from '../../src/libc/errno.js'
import { Budget } from '../support/budget.js'
import { CrashStates, randomChoice, systematicChoices } from '../support/crash-states.js'
import { fvdSpec, qedSpec, rawSpec } from '../support/geometries.js'
import { addOtherBase, OVERLAYS, Overlay } from '../support/overlays.js'
import { type Random, seeded } from '../support/random.js'
import { SimulatedStorage } from '../support/simulated-storage.js'
import { TestDisk } from '../support/test-disk.js'

const KIB = 1024
const MIB = 1024 * KIB

function rebase(path: string, host: SimulatedStorage, backing: BackingReference | null): ImageRebase {
  const work = ImageRebase.open(path, backing, { host })
  for (const _ of work.copy());
  work.finish()
  return work
}

const BASES = {
  'a shorter raw': rawSpec(70 * KIB + 512),
  'a longer QED': qedSpec(160 * KIB, 8 * KIB, 1),
  'an FVD': fvdSpec(128 * KIB, { chunk: 4 * KIB, journal: 4 * KIB }),
  none: null,
} as const

for (const [name, spec] of Object.entries(OVERLAYS)) {
  test(`${name}: the image shows the same on any other base, and after a rebase that was ended in the middle`, t => {
    const random = seeded(t)
    for (let n = 0, budget = new Budget(2); budget.next(); n++) {
      for (const [other, base] of Object.entries(BASES)) {
        const overlay = new Overlay(spec, random.fork(n), 10)
        const { storage, built } = overlay
        if (base !== null) addOtherBase(overlay, base, random.fork(n + 100))
        const backing = base && { name: 'other', format: base.format }
        const begun = ImageRebase.open(built.path, backing, { host: storage })
        const steps = begun.copy()
        for (let count = random.between(1, 6); count > 0; count--) steps.next()
        begun.stop()
        overlay.mustShowTheSame(storage, { mayLeak: false })
        const work = rebase(built.path, storage, backing)
        overlay.mustShowTheSame(storage, { mayLeak: false })
        t.is(inspectImage(built.path, { host: storage }).backingName, backing && 'other', other)
        t.is(work.done, work.total)
        t.deepEqual(storage.leftOpen(), [])
      }
    }
  })
}

test('an image without a base can be put on one, and hides it', t => {
  const overlay = new Overlay(qedSpec(128 * KIB, 4 * KIB, 1), seeded(t), 6)
  const { storage, built } = overlay
  addOtherBase(overlay, rawSpec(100 * KIB), seeded(t))
  rebase(built.path, storage, { name: 'other', format: 'raw' })
  overlay.mustShowTheSame(storage, { mayLeak: false })
  t.is(inspectImage(built.path, { host: storage }).backingName, 'other')
})

/** 8 MiB in bases that are all one byte. */
function bigImage(format: 'qed' | 'fvd', newSize: number): SimulatedStorage {
  const storage = new SimulatedStorage()
  storage.addFile('/v/base', new Uint8Array(8 * MIB).fill(5))
  storage.addFile('/v/other', new Uint8Array(newSize).fill(5))
  createImage('/v/image', { host: storage, format, size: null, backing: { name: 'base', format: 'raw' } })
  return storage
}

for (const format of ['qed', 'fvd'] as const) {
  test(`${format}: what a new base lacks at its end is copied, in a disk of many pieces`, t => {
    const storage = bigImage(format, 3 * MIB + 512)
    const work = rebase('/v/image', storage, { name: 'other', format: 'raw' })
    t.true(work.copied >= 5 * MIB - 512 && work.copied <= 5 * MIB + 64 * KIB)
    const disk = TestDisk.open('/v/image', { host: storage })
    t.true(disk.read(0, disk.size).every(byte => byte === 5))
    disk.close()
  })
}

test('grains that are larger than what is compared at a time are copied whole', t => {
  const storage = new SimulatedStorage()
  storage.addFile('/v/base', new Uint8Array(9 * MIB).fill(5))
  const other = new Uint8Array(9 * MIB).fill(5)
  other[5 * MIB + 3] = 6
  storage.addFile('/v/other', other)
  const options = new Map([['cluster_size', '2M']])
  const backing = { name: 'base', format: 'raw' }
  createImage('/v/image', { host: storage, format: 'qed', size: null, backing, options })
  t.is(rebase('/v/image', storage, { name: 'other', format: 'raw' }).copied, 2 * MIB)
  const disk = TestDisk.open('/v/image', { host: storage })
  t.true(disk.read(0, disk.size).every(byte => byte === 5))
  disk.close()
})

for (const other of ['a shorter base', 'no base']) {
  test(`old bytes in the storage of an FVD image do not come to light on ${other}`, t => {
    const storage = new SimulatedStorage()
    storage.addFile('/v/base', new Uint8Array(128 * KIB))
    storage.addFile('/v/other', new Uint8Array(64 * KIB))
    const backing = { name: 'base', format: 'raw' }
    createImage('/v/image', { host: storage, format: 'fvd', size: null, backing })
    // As a session leaves them that crashed before its blocks were published.
    const file = storage.contents('/v/image')
    const dataOffset = Number(new DataView(file.bytes(0, 4608).buffer).getBigUint64(20, true))
    file.truncate(dataOffset + 128 * KIB)
    file.write(dataOffset + 100 * KIB, new Uint8Array(4 * KIB).fill(9))
    rebase('/v/image', storage, other === 'no base' ? null : { name: 'other', format: 'raw' })
    const disk = TestDisk.open('/v/image', { host: storage })
    t.true(disk.read(0, disk.size).every(byte => byte === 0))
    disk.close()
  })
}

test('what is at the same place of the same file is not read', t => {
  const storage = new SimulatedStorage()
  storage.addFile('/v/base', new Uint8Array(8 * MIB).fill(5))
  createImage('/v/mid', {
    host: storage,
    format: 'qed',
    size: null,
    backing: { name: 'base', format: 'raw' },
  })
  const mid = TestDisk.open('/v/mid', { host: storage, writable: true })
  mid.write(MIB, new Uint8Array(64 * KIB).fill(7))
  mid.close()
  createImage('/v/image', {
    host: storage,
    format: 'qed',
    size: null,
    backing: { name: 'mid', format: null },
  })
  storage.forget()
  t.is(rebase('/v/image', storage, { name: 'base', format: 'raw' }).copied, 64 * KIB)
  const read = storage.calls.filter(({ kind, path }) => kind === 'read' && path === '/v/base')
  t.true(read.reduce((sum, { length }) => sum + length, 0) <= 2 * MIB)
  const disk = TestDisk.open('/v/image', { host: storage })
  t.deepEqual(disk.read(MIB - 1, 2), Uint8Array.of(5, 7))
  disk.close()
})

test('an image whose storage is full stays on its old base, and the next rebase ends it', t => {
  const storage = bigImage('qed', MIB)
  storage.failNext('write', errno.ENOSPC, { path: '/v/image', nth: 3, sticky: true })
  const backing = { name: 'other', format: 'raw' }
  const work = ImageRebase.open('/v/image', backing, { host: storage })
  const error = t.throws(
    () => {
      for (const _ of work.copy());
    },
    { instanceOf: ImageError },
  )
  t.regex(
    error!.message,
    /^\/v\/image: has not got all .* it is on its old base, .* run the same command again$/,
  )
  t.is(error!.errno, errno.ENOSPC)
  t.throws(() => work.stop())
  t.deepEqual(storage.leftOpen(), [])
  storage.clearFaults()
  t.is(inspectImage('/v/image', { host: storage }).backingName, 'base')
  rebase('/v/image', storage, backing)
  const disk = TestDisk.open('/v/image', { host: storage })
  t.true(disk.read(0, disk.size).every(byte => byte === 5))
  disk.close()
})

const LONG = `${'d/'.repeat(290)}x`

/** Cuts the power while only the name changes; returns what the header named afterwards, in all states. */
function namesAfterCuts(
  random: Random,
  format: string,
  before: BackingReference,
  after: BackingReference | null,
): Set<string> {
  const storage = new SimulatedStorage()
  storage.addFile('/v/old', new Uint8Array(64 * KIB))
  storage.addFile('/v/new', new Uint8Array(64 * KIB))
  createImage('/v/qed', { host: storage, format: 'qed', size: 64 * KIB })
  const path = '/v/image'
  createImage(path, { host: storage, format, size: 64 * KIB, backing: before, unsafeBacking: true })
  storage.settle()
  renameBase(path, after, { host: storage })
  const points = new CrashStates(storage)
  const names = new Set<string>()
  do {
    for (const choice of [...systematicChoices(points.pending), ...twenty(random, points)]) {
      const { backingName, backingFormat } = inspectImage(path, { host: points.build(choice) })
      names.add(`${backingName} ${backingFormat}`)
    }
  } while (points.advance())
  return names
}

function twenty(random: Random, points: CrashStates) {
  return Array.from({ length: 20 }, () => randomChoice(random, points.pending))
}

const RENAMES: [string, BackingReference, BackingReference | null][] = [
  ['a short name', { name: 'old', format: 'raw' }, { name: 'new', format: 'raw' }],
  ['a short name and the format', { name: 'old', format: 'raw' }, { name: 'qed', format: null }],
  ['a long name', { name: 'old', format: 'raw' }, { name: LONG, format: null }],
  ['a long name for a short one', { name: LONG, format: null }, { name: 'new', format: 'raw' }],
  ['a long name for a long one', { name: LONG, format: null }, { name: `${LONG}y`, format: null }],
]

for (const format of ['qed', 'fvd']) {
  // An FVD image has no way to none by its name.
  const renames = format === 'qed' ? [...RENAMES, ['none', RENAMES[0]![1], null] as const] : RENAMES
  for (const [what, before, after] of renames) {
    test(`${format}: a power cut while ${what} is written leaves the old name or the new one`, t => {
      const names = namesAfterCuts(seeded(t), format, before, after)
      const allowed = [before, after].map(base => `${base?.name ?? null} ${base?.format ?? null}`)
      for (const name of names) t.true(allowed.includes(name), name)
      t.is(names.size, 2)
    })
  }
}

test('the name alone changes with renameBase, whatever it leads to', t => {
  const overlay = new Overlay(OVERLAYS['QED over raw']!, seeded(t))
  const { storage, built } = overlay
  renameBase(built.path, { name: 'gone/base.qed', format: null }, { host: storage })
  const { backingName, backingFormat } = inspectImage(built.path, { host: storage })
  t.deepEqual([backingName, backingFormat], ['gone/base.qed', null])
  renameBase(built.path, { name: './base1', format: 'raw' }, { host: storage })
  overlay.mustShowTheSame(storage)
  const refused = t.throws(() => renameBase(built.path, { name: 'base1', format: null }, { host: storage }))
  t.regex(refused!.message, /-F raw$/)
  t.throws(() => renameBase(built.path, { name: 'x'.repeat(1024), format: 'raw' }, { host: storage }), {
    message: /1024 bytes, more than 1023/,
  })
  overlay.mustShowTheSame(storage)
  t.deepEqual(storage.leftOpen(), [])
})

test('a rebase is refused, and changes nothing, where it cannot be done', t => {
  const storage = new SimulatedStorage()
  storage.addFile('/v/base', new Uint8Array(64 * KIB))
  const make = (name: string, format: string, base: string | null, options: Record<string, string> = {}) =>
    createImage(`/v/${name}`, {
      host: storage,
      format,
      size: 64 * KIB,
      backing: base === null ? null : { name: base, format: base === 'base' ? 'raw' : null },
      options: new Map(Object.entries(options)),
    })
  make('image', 'qed', 'base')
  make('above', 'qed', 'image')
  make('alone.fvd', 'fvd', null)
  make('cache.fvd', 'fvd', 'base', { write_updates_base_img: 'writethrough' })
  storage.settle()
  const refused = (name: string, backing: BackingReference | null, pattern: RegExp, format?: string) => {
    for (const change of [
      () => ImageRebase.open(`/v/${name}`, backing, { host: storage, format: format ?? null }),
      ...(/circle|does not|cache|-F raw/.test(pattern.source)
        ? []
        : [() => renameBase(`/v/${name}`, backing, { host: storage, format: format ?? null })]),
    ]) {
      t.regex(t.throws(change, { instanceOf: ImageError })!.message, pattern)
      t.deepEqual(storage.record, [])
      t.deepEqual(storage.leftOpen(), [])
    }
  }
  refused('image', { name: 'above', format: null }, /circle/)
  refused('image', { name: 'image', format: null }, /circle/)
  refused('image', { name: 'base', format: null }, /-F raw/)
  refused('image', { name: 'gone', format: 'raw' }, /'gone' does not exist/)
  refused('base', { name: 'image', format: null }, /raw have no base/, 'raw')
  refused('alone.fvd', { name: 'base', format: 'raw' }, /has no bitmap/)
  refused('cache.fvd', { name: 'image', format: null }, /is the cache of its base/)
})
