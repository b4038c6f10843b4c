import test from 'ava'
import { ImageError } from '../../../src/errors.js'
import { qcow2 } from '../../../src/formats/qcow2/index.js'
import { errno } from '../../../src/libc/errno.js'
import { COMPRESSED, COPIED, contents, mapped, TestImage, ZERO } from './images.js'

const CLUSTER = 4096

test('entries map to data, zeros and nothing, and what goes on is one run', t => {
  const image = new TestImage()
  image.setEntry(1, COPIED | BigInt(image.dataAt(3)))
  image.setEntry(2, BigInt(image.dataAt(4)))
  image.setEntry(3, COPIED | BigInt(image.dataAt(6)))
  image.setEntry(4, ZERO)
  image.setEntry(5, COPIED | BigInt(image.dataAt(9)) | ZERO)
  image.setEntry(6, COPIED)
  const opened = image.open()
  t.is(mapped(opened, 0, 1 << 20), `absent ${CLUSTER}`)
  t.is(mapped(opened, CLUSTER, 1 << 20), `data ${image.dataAt(3)}+${2 * CLUSTER}`)
  t.is(mapped(opened, CLUSTER + 1000, 2000), `data ${image.dataAt(3) + 1000}+2000`)
  t.is(mapped(opened, 2 * CLUSTER - 1, 2), `data ${image.dataAt(4) - 1}+2`)
  t.is(mapped(opened, 3 * CLUSTER + 512, 1 << 20), `data ${image.dataAt(6) + 512}+${CLUSTER - 512}`)
  t.is(mapped(opened, 4 * CLUSTER, 1 << 20), `zero ${2 * CLUSTER}`)
  t.is(mapped(opened, 6 * CLUSTER, 1 << 20), `absent ${1 << 20}`)
})

test('a run ends where its L2 table does, and empty tables are passed over at once', t => {
  const span = 512 * CLUSTER
  const image = new TestImage({ size: 5 * span + 512, data: 1 })
  for (const table of [0, 1, 3, 4]) image.put64(CLUSTER + 8 * table, 0)
  for (let n = 0; n < 512; n++) image.setEntry(2 * 512 + n, ZERO)
  const opened = image.open()
  t.is(mapped(opened, 0, 1e9), `absent ${2 * span}`)
  t.is(mapped(opened, 512, span), `absent ${span}`)
  t.is(mapped(opened, 2 * span, 1e9), `zero ${span}`)
  t.is(mapped(opened, 3 * span - 512, 1e9), 'zero 512')
  t.is(mapped(opened, 3 * span, 1e9), `absent ${2 * span}`)
  t.is(mapped(opened, 5 * span, 1e9), 'absent 512', 'the last table is there, and cut by the end of the disk')
  t.throws(() => mapped(opened, 5 * span + 512, 1), { instanceOf: RangeError })
  t.throws(() => mapped(opened, -1, 1), { instanceOf: RangeError })
})

test('an L1 table that is longer than the disk needs says nothing about the disk', t => {
  const image = new TestImage({ size: 4 << 20 })
  image.put32(36, 3)
  image.put64(CLUSTER + 16, 0xffff_ffff_ffff_ffffn)
  t.is(mapped(image.open(), 0, 1e9), `absent ${2 << 20}`)
})

/** On an image of 20 clusters, the L1 table in cluster 1, L2 tables in 2 and 3. */
const BAD_L2: [string, bigint][] = [
  ['not aligned', BigInt(5 * CLUSTER + 512)],
  ['beyond the file', BigInt(20 * CLUSTER)],
  ['at 2^55', 1n << 55n],
  ['reserved bit 1', BigInt(5 * CLUSTER) | 2n],
  ['reserved bit 8', BigInt(5 * CLUSTER) | 256n],
  ['reserved bit 56', BigInt(5 * CLUSTER) | (1n << 56n)],
  ['reserved bit 61', BigInt(5 * CLUSTER) | (1n << 61n)],
  ['reserved bits without a place', 1n << 58n],
  ['zero with a place that is not aligned', BigInt(5 * CLUSTER + 512) | ZERO],
  ['the L1 table', BigInt(CLUSTER)],
  ['compressed, beyond the file', COMPRESSED | BigInt(20 * CLUSTER)],
  ['compressed, at the end of the world', (1n << 63n) - 1n],
  ['all ones', 0xffff_ffff_ffff_ffffn],
]

for (const [what, entry] of BAD_L2) {
  test(`an L2 entry that cannot be is an error of its cluster alone: ${what}`, t => {
    const image = new TestImage()
    image.setEntry(7, entry)
    image.setEntry(8, BigInt(image.dataAt(0)))
    image.storage.settle()
    const opened = image.open()
    t.is(mapped(opened, 0, 1 << 20), `absent ${7 * CLUSTER}`)
    const error = t.throws(() => mapped(opened, 7 * CLUSTER + 512, 512), { instanceOf: ImageError })
    t.is(error.code, 'CORRUPT')
    t.is(error.errno, errno.EIO)
    t.is(
      error.message,
      '/images/disk.qcow2: the L2 table entry points nowhere for guest offset 29184; run "qemu-img check" on the image, or take a good copy',
    )
    t.is(mapped(opened, 8 * CLUSTER, CLUSTER), `data ${image.dataAt(0)}+${CLUSTER}`)
    t.deepEqual(image.storage.record, [])
  })
}

test('a zero flag in version 2, which has none, is an error', t => {
  const image = new TestImage({ version: 2 })
  image.setEntry(0, ZERO)
  t.throws(() => mapped(image.open(), 0, 512), { code: 'CORRUPT' })
})

const BAD_L1: [string, bigint][] = [
  ['not aligned', BigInt(2 * CLUSTER + 512)],
  ['beyond the file', BigInt(20 * CLUSTER)],
  ['reserved bit 0', BigInt(2 * CLUSTER) | 1n],
  ['reserved bit 56', BigInt(2 * CLUSTER) | (1n << 56n)],
  ['reserved bit 62', BigInt(2 * CLUSTER) | (1n << 62n)],
  ['itself', BigInt(CLUSTER)],
  ['all ones', 0xffff_ffff_ffff_ffffn],
]

for (const [what, entry] of BAD_L1) {
  test(`an L1 entry that cannot be is an error of its part of the disk alone: ${what}`, t => {
    const image = new TestImage()
    image.put64(CLUSTER, entry)
    const opened = image.open()
    t.throws(() => mapped(opened, CLUSTER, 512), {
      code: 'CORRUPT',
      message: /the L1 table entry points nowhere for guest offset 4096;/,
    })
    t.is(mapped(opened, 512 * CLUSTER, 512), 'absent 512')
  })
}

test('data that the end of the file cuts reads as zeros there; an L2 table that it cuts is an error', t => {
  const image = new TestImage()
  image.setEntry(0, BigInt(image.dataAt(0)))
  image.putBytes(image.dataAt(0), Buffer.alloc(512, 7))
  image.file.truncate(image.dataAt(0) + 512)
  t.deepEqual(
    contents(image.open(), 0, CLUSTER),
    Buffer.concat([Buffer.alloc(512, 7), Buffer.alloc(CLUSTER - 512)]),
  )
  image.file.truncate(3 * CLUSTER + 512)
  t.throws(() => mapped(image.open(), 512 * CLUSTER, 512), { code: 'CORRUPT', message: /L1 table entry/ })
})

test('a file that becomes shorter while it is open is an error, never a hang', t => {
  const image = new TestImage()
  const opened = image.open()
  image.file.truncate(CLUSTER)
  t.throws(() => mapped(opened, 0, 512), { code: 'CORRUPT', message: /ends within the L2 table/ })
})

test('tables are read once while there is room for them', t => {
  const image = new TestImage({ size: 16 << 20 })
  const opened = image.open()
  image.storage.forget()
  for (let round = 0; round < 3; round++)
    for (let table = 0; table < 8; table++) mapped(opened, table << 21, 512)
  t.is(image.storage.countCalls('read'), 8)
})

test('however small the cache, every table is found, and the one in use stays', t => {
  const image = new TestImage({ size: 16 << 20, data: 32 })
  for (let table = 0; table < 8; table++) image.setEntry(512 * table, BigInt(image.dataAt(table)))
  const opened = image.open(2 * CLUSTER)
  image.storage.forget()
  for (let round = 0; round < 3; round++) {
    for (let table = 1; table < 8; table++) {
      t.is(mapped(opened, 0, 512), `data ${image.dataAt(0)}+512`)
      t.is(mapped(opened, table << 21, 512), `data ${image.dataAt(table)}+512`)
    }
  }
  t.is(image.storage.countCalls('read'), 1 + 3 * 7)
  const single = image.open(1)
  for (let table = 0; table < 8; table++)
    t.is(mapped(single, table << 21, 512), `data ${image.dataAt(table)}+512`)
})

test('large tables are read in pieces of 16 KiB', t => {
  const image = new TestImage({ clusterBits: 16, size: 512 << 20, data: 4 })
  image.setEntry(8191, BigInt(image.dataAt(2)))
  image.setEntry(2047, ZERO)
  image.setEntry(2048, ZERO)
  const opened = image.open()
  image.storage.forget()
  t.is(mapped(opened, 8191 * 65536, 65536), `data ${image.dataAt(2)}+65536`)
  t.is(mapped(opened, 2047 * 65536, 1 << 20), 'zero 65536')
  t.is(mapped(opened, 2048 * 65536, 1 << 20), 'zero 65536')
  t.is(image.storage.countCalls('read'), 3)
})

test('a table that could not be read is read again the next time', t => {
  const image = new TestImage({ size: 8 << 20 })
  image.setEntry(0, BigInt(image.dataAt(0)))
  image.setEntry(512, BigInt(image.dataAt(1)))
  const opened = image.open(CLUSTER)
  t.is(mapped(opened, 0, 512), `data ${image.dataAt(0)}+512`)
  image.storage.failNext('read', errno.EIO)
  t.throws(() => mapped(opened, 2 << 20, 512), { code: 'EIO' })
  t.is(mapped(opened, 0, 512), `data ${image.dataAt(0)}+512`)
  t.is(mapped(opened, 2 << 20, 512), `data ${image.dataAt(1)}+512`)
})

test('another thread attaches to the description and sees the same', t => {
  const image = new TestImage()
  image.setEntry(3, BigInt(image.dataAt(1)))
  const opened = image.open()
  const description = structuredClone(opened.describe())
  const driver = qcow2.attach(description, image.file)
  t.is(mapped({ ...opened, driver }, 3 * CLUSTER, 512), `data ${image.dataAt(1)}+512`)
})
