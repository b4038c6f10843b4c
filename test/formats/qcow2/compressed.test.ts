import { constants, deflateRawSync } from 'node:zlib'
import test from 'ava'
import { ImageError } from '../../../src/errors.js'
import { Mapping } from '../../../src/formats/driver.js'
import { errno } from '../../../src/libc/errno.js'
import { IoBuffer } from '../../../src/libc/io-buffer.js'
import type { StorageFile } from '../../../src/storage/storage-file.js'
import { seeded } from '../../support/random.js'
import { contents, mapped, TestImage } from './images.js'

const CLUSTER = 4096

/** A cluster that no other looks like, and that deflates well. */
function filled(seed: number, length = CLUSTER): Buffer {
  return Buffer.alloc(length).map((_, n) => (seed * 37 + (n >> 6)) & 0xff) as Buffer
}

/** Streams one behind the other, to the byte, as QEMU lays them; entries for clusters 0, 1, … */
function putClusters(image: TestImage, clusters: readonly Buffer[]): number[] {
  let at = image.dataAt(0) + 13
  return clusters.map((bytes, n) => {
    const stream = deflateRawSync(bytes)
    const start = at
    image.putBytes(start, stream)
    image.setEntry(n, image.compressed(start, stream.length))
    at += stream.length
    return start
  })
}

/** The file that map() answers for the first cluster. */
function inflatedFile(image: TestImage): StorageFile {
  const run = new Mapping()
  image.open().driver.map(0, 512, run)
  return run.file!
}

for (const clusterBits of [9, 12, 16, 21]) {
  test(`compressed clusters of ${2 ** clusterBits} bytes are one run, and read in pieces of any kind`, t => {
    const random = seeded(t)
    const cluster = 2 ** clusterBits
    const image = new TestImage({ clusterBits, size: 8 * cluster, data: 8 })
    const clusters = [1, 2, 3, 4, 5].map(n => filled(n, cluster))
    putClusters(image, clusters)
    const expected = Buffer.concat([...clusters, Buffer.alloc(3 * cluster)])
    const opened = image.open()
    t.is(mapped(opened, 0, 8 * cluster), `inflated ${5 * cluster}`)
    t.is(mapped(opened, cluster + 512, 100), 'inflated 100')
    t.is(mapped(opened, 5 * cluster, 1e9), `absent ${3 * cluster}`)
    t.true(contents(opened, 0, 8 * cluster).equals(expected))
    for (let count = 0; count < 50; count++) {
      const offset = random.below(expected.length)
      const length = random.between(1, Math.min(2 * cluster, expected.length - offset))
      t.true(contents(opened, offset, length).equals(expected.subarray(offset, offset + length)))
    }
  })
}

test('a stream that is longer than its cluster is read whole', t => {
  const image = new TestImage()
  const bytes = filled(1)
  const stream = deflateRawSync(bytes, { level: 0 })
  t.true(stream.length > CLUSTER)
  image.putBytes(image.dataAt(1) + 511, stream)
  image.setEntry(0, image.compressed(image.dataAt(1) + 511, stream.length))
  t.true(contents(image.open(), 0, CLUSTER).equals(bytes))
})

test('a stream in a last sector that the file does not have whole is read', t => {
  const image = new TestImage()
  const stream = deflateRawSync(filled(1))
  image.putBytes(image.dataAt(1), stream)
  image.setEntry(0, image.compressed(image.dataAt(1), stream.length))
  image.file.truncate(image.dataAt(1) + stream.length)
  t.true(contents(image.open(), 0, CLUSTER).equals(filled(1)))
})

test('a stream without a last block is good when it gives the cluster before the file ends', t => {
  const image = new TestImage()
  const stream = deflateRawSync(filled(1), { finishFlush: constants.Z_SYNC_FLUSH })
  image.putBytes(image.dataAt(1), stream)
  image.setEntry(0, image.compressed(image.dataAt(1), stream.length))
  image.file.truncate(image.dataAt(1) + stream.length)
  t.true(contents(image.open(), 0, CLUSTER).equals(filled(1)))
})

const DAMAGE: [string, Buffer, RegExp][] = [
  ['no stream at all', Buffer.alloc(600, 0xff), /cannot be inflated/],
  [
    'a stream that breaks off',
    deflateRawSync(filled(1), { level: 0 }).subarray(0, 2048),
    /have \d+ bytes of 4096/,
  ],
  ['less than a cluster', deflateRawSync(filled(1, CLUSTER - 1)), /have 4095 bytes of 4096/],
  ['nothing', deflateRawSync(Buffer.alloc(0)), /have 0 bytes of 4096/],
  ['more than a cluster', deflateRawSync(filled(1, CLUSTER + 1)), /cannot be inflated/],
  ['a bomb', deflateRawSync(Buffer.alloc(64 << 20)).subarray(0, 8192), /cannot be inflated/],
]

for (const [what, stream, message] of DAMAGE) {
  test(`compressed data that do not give their cluster are its error, and of no other: ${what}`, t => {
    const image = new TestImage({ data: 8 })
    putClusters(image, [filled(1), filled(2), filled(3)])
    image.file.truncate(image.dataAt(4))
    image.putBytes(image.dataAt(4), stream)
    image.setEntry(1, image.compressed(image.dataAt(4), stream.length))
    const opened = image.open()
    for (let round = 0; round < 2; round++) {
      const error = t.throws(() => contents(opened, CLUSTER + 1000, 10), { instanceOf: ImageError })
      t.is(error.code, 'CORRUPT')
      t.is(error.errno, errno.EIO)
      t.regex(error.message, message)
      t.regex(error.message, /^\/images\/disk\.qcow2: .* for guest offset 4096; [^\n]*$/)
      t.true(contents(opened, 0, CLUSTER).equals(filled(1)))
      t.true(contents(opened, 2 * CLUSTER, CLUSTER).equals(filled(3)))
    }
  })
}

test('a cluster is inflated once for all its pieces, and again when others came between', t => {
  const cluster = 2 ** 20
  const image = new TestImage({ clusterBits: 20, size: 4 * cluster, data: 4 })
  putClusters(
    image,
    [1, 2, 3].map(n => filled(n, cluster)),
  )
  const opened = image.open()
  contents(opened, 0, 1)
  image.storage.forget()
  const reads = (...clusters: number[]) => {
    image.storage.forget()
    for (const n of clusters) t.is(contents(opened, n * cluster + 4096, 1)[0], filled(n + 1, cluster)[4096])
    return image.storage.countCalls('read')
  }
  t.is(reads(0, 0, 0), 0)
  t.is(reads(1, 0, 1, 0), 1)
  // There is room for two: the one not asked for for longest goes.
  t.is(reads(2, 0, 2, 0), 1)
  t.is(reads(1), 1)
  t.is(reads(0), 0)
  t.is(reads(2), 1)
})

test('data that could not be read are read again the next time', t => {
  const image = new TestImage()
  putClusters(image, [filled(1)])
  const opened = image.open()
  mapped(opened, 0, 512)
  image.storage.failNext('read', errno.EIO)
  t.throws(() => contents(opened, 0, 512), { code: 'EIO' })
  t.true(contents(opened, 0, CLUSTER).equals(filled(1)))
})

test('the file of inflated clusters can be read, and nothing else', t => {
  const image = new TestImage({ size: 4 << 20 })
  putClusters(image, [filled(1)])
  const file = inflatedFile(image)
  t.is(file.path, image.file.path)
  t.false(file.writable)
  t.is(file.size(), 4 << 20)
  t.is(file.allocated(), 0)
  t.is(file.stretch(512, false), 4 << 20)
  t.is(file.stretch(512, true), 512)
  const buffer = new IoBuffer(CLUSTER)
  t.throws(() => file.write(buffer, 0, 512, 0), { instanceOf: TypeError })
  t.throws(() => file.zero(0, 512), { instanceOf: TypeError })
  t.throws(() => file.truncate(0), { instanceOf: TypeError })
  t.throws(() => file.describe(), { instanceOf: TypeError })
  t.throws(() => file.read(buffer, 0, 512, CLUSTER), { instanceOf: RangeError }, 'not compressed')
  t.is(file.read(buffer, 0, 512, 4 << 20), 0)
  file.sync()
  file.close()
})
