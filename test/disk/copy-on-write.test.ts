import test from 'ava'
import { errno } from '../../src/libc/errno.js'
import { mustBeConsistent } from '../support/exercise.js'
import { fvdSpec, qedSpec, rawSpec } from '../support/geometries.js'
import { buildImage, type ImageSpec, openBuilt } from '../support/image-chain.js'
import { pattern } from '../support/pattern.js'
import { Random } from '../support/random.js'
import { SimulatedStorage } from '../support/simulated-storage.js'

const CLUSTER = 64 * 1024
const OVER_RAW = qedSpec(16 * CLUSTER, CLUSTER, 1, { backing: rawSpec(16 * CLUSTER) })

function open(spec: ImageSpec) {
  const storage = new SimulatedStorage()
  const built = buildImage(storage, spec, new Random(1))
  const disk = openBuilt(storage, built, true)
  // The first allocation of an image may have to mark it, and to make a table.
  disk.write(0, built.model.write(0, CLUSTER, 1))
  disk.flush()
  storage.forget()
  const calls = () =>
    storage.calls.map(({ kind, path, length }) => `${kind} ${path.split('/').at(-1)} ${length}`)
  return { storage, built, disk, calls }
}

test('a write to part of an absent cluster is one read of the base and one write', t => {
  const { built, disk, calls } = open(OVER_RAW)
  disk.write(3 * CLUSTER + 4096, built.model.write(3 * CLUSTER + 4096, 4096, 2))
  t.deepEqual(calls(), [`read base1 ${CLUSTER}`, `write image ${CLUSTER}`])
  t.is(built.model.compare(disk.read(2 * CLUSTER, 3 * CLUSTER), 2 * CLUSTER), null)
  disk.close()
})

test('a write of a whole absent cluster reads nothing of the base', t => {
  const { built, disk, calls } = open(OVER_RAW)
  disk.write(3 * CLUSTER, built.model.write(3 * CLUSTER, CLUSTER, 2))
  t.deepEqual(calls(), [`write image ${CLUSTER}`])
  disk.close()
})

test('without a base only the bytes of the guest are written', t => {
  const { disk, calls } = open(qedSpec(16 * CLUSTER, CLUSTER, 1))
  disk.write(3 * CLUSTER + 4096, pattern(3 * CLUSTER + 4096, 4096, 2, 0))
  t.deepEqual(calls(), ['write image 4096'])
  disk.close()
})

test('beyond the end of a shorter base nothing is read of it', t => {
  const { disk, calls } = open(qedSpec(16 * CLUSTER, CLUSTER, 1, { backing: rawSpec(4 * CLUSTER) }))
  disk.write(8 * CLUSTER + 512, pattern(8 * CLUSTER + 512, 512, 2, 0))
  t.deepEqual(calls(), ['write image 512'])
  disk.close()
})

test('zeroing whole absent clusters over data takes no storage and no write', t => {
  const { storage, built, disk } = open(OVER_RAW)
  const { size } = storage.contents(built.path)
  disk.zero(4 * CLUSTER, 8 * CLUSTER)
  t.deepEqual(
    storage.calls.filter(({ kind }) => kind !== 'read'),
    [],
  )
  t.is(storage.contents(built.path).size, size)
  t.true(disk.read(4 * CLUSTER, 8 * CLUSTER).every(byte => byte === 0))
  disk.close()
})

test('zeroing allocated clusters gives their storage back to the file system', t => {
  const { storage, built, disk } = open(OVER_RAW)
  for (let n = 4; n < 12; n++) disk.write(n * CLUSTER, pattern(n * CLUSTER, CLUSTER, 2, 0))
  disk.flush()
  const before = storage.contents(built.path).allocated()
  disk.zero(4 * CLUSTER, 8 * CLUSTER)
  t.is(before - storage.contents(built.path).allocated(), 8 * CLUSTER)
  disk.close()
})

test('a block whose chunks lie apart is seen when all of it is stored, and not before', t => {
  const KIB = 1024
  const { storage, built, disk } = open(
    fvdSpec(1 << 20, { block: 12 * KIB, chunk: 8 * KIB }, rawSpec(1 << 20)),
  )
  // Gives storage to the chunk in which the block at 252 KiB begins, and then to another, somewhere else.
  disk.write(240 * KIB, pattern(240 * KIB, 512, 1, 0))
  disk.write(600 * KIB, pattern(600 * KIB, 512, 1, 0))
  const before = disk.read(252 * KIB, 12 * KIB)
  const bytes = pattern(252 * KIB + 512, 512, 2, 0)
  storage.failNext('write', errno.EIO, { nth: 2, path: built.path })
  t.throws(() => disk.write(252 * KIB + 512, bytes))
  t.deepEqual(disk.read(252 * KIB, 12 * KIB), before)
  disk.write(252 * KIB + 512, bytes)
  before.set(bytes, 512)
  t.deepEqual(disk.read(252 * KIB, 12 * KIB), before)
  disk.close()
})

test('an aligned write to blocks of a sector reads nothing of the base, and is one write', t => {
  const { built, disk, calls } = open(fvdSpec(1 << 20, { block: 512, chunk: 64 * 1024 }, rawSpec(1 << 20)))
  disk.write(3 * CLUSTER + 4096, built.model.write(3 * CLUSTER + 4096, 4096, 2))
  t.deepEqual(calls(), ['write image 4096'])
  disk.close()
})

test('a write into a zero cluster leaves the rest of it zeros, not the base', t => {
  const { disk } = open(OVER_RAW)
  disk.zero(4 * CLUSTER, CLUSTER)
  disk.write(4 * CLUSTER + 512, pattern(4 * CLUSTER + 512, 512, 2, 0))
  const shown = disk.read(4 * CLUSTER, CLUSTER)
  t.true(shown.subarray(0, 512).every(byte => byte === 0))
  t.true(shown.subarray(1024).every(byte => byte === 0))
  disk.close()
})

test('storage that could not be filled is used by the next write, and none of it leaks', t => {
  const { storage, built, disk } = open(OVER_RAW)
  const act = () => disk.write(3 * CLUSTER + 512, built.model.write(3 * CLUSTER + 512, 512, 2))
  for (const kind of ['read', 'write'] as const) {
    storage.failNext(kind, errno.EIO)
    t.throws(act, { message: /EIO/ })
    t.is(built.model.adopt(disk.read(3 * CLUSTER, CLUSTER), 3 * CLUSTER), null)
  }
  act()
  t.is(built.model.compare(disk.read(3 * CLUSTER, CLUSTER), 3 * CLUSTER), null)
  disk.close()
  t.notThrows(() => mustBeConsistent(storage, built, false))
})

test('a read makes one call for each contiguous run', t => {
  const { storage, disk } = open(qedSpec(16 * CLUSTER, CLUSTER, 1))
  disk.write(2 * CLUSTER, pattern(2 * CLUSTER, 6 * CLUSTER, 2, 0))
  disk.write(12 * CLUSTER, pattern(12 * CLUSTER, 2 * CLUSTER, 2, 0))
  storage.forget()
  disk.read(2 * CLUSTER + 100, 12 * CLUSTER - 200)
  t.deepEqual(
    storage.calls.map(({ kind, length }) => ({ kind, length })),
    [
      { kind: 'read', length: 6 * CLUSTER - 100 },
      { kind: 'read', length: 2 * CLUSTER - 100 },
    ],
  )
  disk.close()
})

test('a read of what no image of the chain has makes no call', t => {
  const { storage, disk } = open(qedSpec(16 * CLUSTER, CLUSTER, 1, { backing: rawSpec(4 * CLUSTER) }))
  disk.read(8 * CLUSTER, 4 * CLUSTER)
  t.is(storage.calls.length, 0)
  disk.close()
})
