import test from 'ava'
import { errno } from '../../src/libc/errno.js'
import { qedSpec, rawSpec } from '../support/geometries.js'
import { buildImage, type ImageSpec, openBuilt } from '../support/image-chain.js'
import { Random } from '../support/random.js'
import { SimulatedStorage } from '../support/simulated-storage.js'

function open(spec: ImageSpec) {
  const storage = new SimulatedStorage()
  const built = buildImage(storage, spec, new Random(1))
  const disk = openBuilt(storage, built, true)
  storage.forget()
  return { storage, built, disk }
}

const QED = qedSpec(1 << 20, 4096, 1)

for (const [name, spec] of Object.entries({ raw: rawSpec(1 << 20), QED })) {
  test(`${name}: a flush with nothing pending is one barrier and no other call`, t => {
    const { storage, disk } = open(spec)
    disk.write(0, new Uint8Array(4096))
    disk.flush()
    // An idle flush may also take back a mark that the image was in use.
    disk.flush()
    storage.forget()
    disk.flush()
    t.deepEqual(
      storage.calls.map(({ kind }) => kind),
      ['sync'],
    )
    disk.close()
  })

  test(`${name}: a flush is needed after a write, also one in place, and not after a flush`, t => {
    const { storage, disk } = open(spec)
    const { image } = disk
    t.false(image.disk.needsFlush)
    for (let n = 0; n < 2; n++) {
      disk.write(0, new Uint8Array(4096))
      t.true(image.disk.needsFlush)
      disk.flush()
      t.false(image.disk.needsFlush)
    }
    disk.write(0, new Uint8Array(4096))
    storage.failNext('sync', errno.EIO)
    t.throws(() => disk.flush())
    t.true(image.disk.needsFlush)
    t.throws(() => disk.close())
  })

  test(`${name}: a write in place is one call`, t => {
    const { storage, disk } = open(spec)
    disk.write(0, new Uint8Array(8192))
    disk.flush()
    storage.forget()
    disk.write(1000, new Uint8Array(5000))
    t.deepEqual(
      storage.calls.map(({ kind, length }) => ({ kind, length })),
      [{ kind: 'write', length: 5000 }],
    )
    disk.close()
  })

  test(`${name}: a barrier that failed is reported by every later flush, and by close`, t => {
    const { storage, disk } = open(spec)
    disk.write(0, new Uint8Array(4096).fill(1))
    storage.failNext('sync', errno.EIO)
    t.throws(() => disk.flush(), { message: /EIO/ })
    for (let n = 0; n < 3; n++) t.throws(() => disk.flush(), { code: 'IO', message: /earlier flush failed/ })
    t.is(disk.read(0, 1)[0], 1)
    t.throws(() => disk.close(), { code: 'IO' })
    t.deepEqual(storage.leftOpen(), [])
  })
}

test('a commit of allocating writes orders data before the metadata that points to them', t => {
  const { storage, built, disk } = open(QED)
  disk.write(0, new Uint8Array(4096).fill(1))
  disk.flush()
  const kinds = storage.calls.filter(({ path }) => path === built.path).map(({ kind }) => kind)
  t.is(kinds.at(-1), 'sync')
  t.true(kinds.indexOf('sync') > kinds.indexOf('write') && kinds.indexOf('sync') < kinds.lastIndexOf('write'))
  disk.close()
})

test('a write of metadata that failed is done again by the next flush', t => {
  const { storage, built, disk } = open(QED)
  disk.write(0, new Uint8Array(4096).fill(1))
  storage.failNext('write', errno.ENOSPC)
  t.throws(() => disk.flush(), { message: /ENOSPC/ })
  t.notThrows(() => disk.flush())
  disk.drop()
  const again = openBuilt(storage, built, false)
  t.is(again.read(0, 1)[0], 1)
  again.close()
})

test('allocating writes need no barrier of their own', t => {
  const { storage, disk } = open(QED)
  disk.write(0, new Uint8Array(512))
  storage.forget()
  for (let cluster = 1; cluster < 40; cluster++) disk.write(cluster * 4096, new Uint8Array(512))
  t.is(storage.countCalls('sync'), 0)
  disk.close()
})
