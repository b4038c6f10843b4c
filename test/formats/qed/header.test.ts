import test from 'ava'
import { ImageError } from '../../../src/errors.js'
import { qed } from '../../../src/formats/qed/index.js'
import { IoBuffer } from '../../../src/libc/io-buffer.js'
import { makeImage, peek, poke } from './images.js'

const READ_ONLY = { writable: false, metadataCache: 0 }
const CLUSTER = 4096
const MAX_32 = 0xffff_ffff
const MAX_64 = 0xffff_ffff_ffff_ffffn

/** Field, its offset and length, then for each value the error: the start of what is said, or null for none. */
const MUTATIONS: [string, number, number, [number | bigint, RegExp | null][]][] = [
  [
    'magic',
    0,
    4,
    [
      [0, /does not start with "QED"/],
      [1, /"QED"/],
      [MAX_32, /"QED"/],
    ],
  ],
  [
    'cluster_size',
    4,
    4,
    [
      [0, /cluster_size is 0/],
      [1, /cluster_size is 1,/],
      [4097, /cluster_size is 4097/],
      [2048, /cluster_size is 2048/],
      [2 ** 27, /cluster_size is 134217728/],
      [MAX_32, /cluster_size is 4294967295/],
      [2 ** 26, /header_size is 1 clusters, more than the file has/],
    ],
  ],
  [
    'table_size',
    8,
    4,
    [
      [0, /table_size is 0/],
      [3, /table_size is 3/],
      [32, /table_size is 32/],
      [MAX_32, /table_size is 4294967295/],
      [16, /the L1 table ends at 69632, but the file at 8192/],
    ],
  ],
  [
    'header_size',
    12,
    4,
    [
      [0, /header_size is 0/],
      [2, /l1_table_offset is 4096, inside the header/],
      [3, /header_size is 3 clusters, more than/],
      [MAX_32, /header_size is 4294967295 clusters, more than/],
    ],
  ],
  [
    'features',
    16,
    8,
    [
      [1, /name is empty/],
      [2, null],
      [4, null],
      [8, /unknown here \(bits 0x8\)/],
      [1n << 32n, /bits 0x100000000/],
      [MAX_64, /bits 0xfffffffffffffff8/],
    ],
  ],
  [
    'compat_features',
    24,
    8,
    [
      [1, null],
      [MAX_64, null],
    ],
  ],
  [
    'autoclear_features',
    32,
    8,
    [
      [1, null],
      [MAX_64, null],
    ],
  ],
  [
    'l1_table_offset',
    40,
    8,
    [
      [0, /inside the header/],
      [1, /not a multiple/],
      [CLUSTER + 512, /not a multiple/],
      [2 * CLUSTER, /the L1 table ends at 12288/],
      [1n << 52n, /the L1 table ends/],
      [MAX_64, /not a multiple/],
      [1n << 63n, /not a multiple/],
    ],
  ],
  [
    'image_size',
    48,
    8,
    [
      [0, null],
      [1, /not a multiple of 512/],
      [513, /not a multiple of 512/],
      [512, null],
      [2 ** 30, null],
      [2 ** 30 + 512, /more than tables of this size can map/],
      [MAX_64, /more than tables/],
    ],
  ],
]

for (const [field, at, length, values] of MUTATIONS) {
  test(`${field}: every impossible value is refused by name, and changes nothing`, t => {
    for (const [value, expected] of values) {
      const { storage, file } = makeImage()
      poke(file, at, value, length)
      storage.settle()
      const open = () => qed.open(file, READ_ONLY)
      if (expected === null) t.notThrows(open, `${field} ${value}`)
      else t.regex(t.throws(open, { instanceOf: ImageError }).message, expected)
      if (expected !== null) t.throws(() => qed.open(file, { writable: true, metadataCache: 0 }))
      t.deepEqual(storage.record, [], `${field} ${value}`)
    }
  })
}

test('an image larger than 2^53 bytes is refused, though the format could have it', t => {
  const { file } = makeImage({ clusterSize: 64 << 20, tableSize: 16, size: 512 })
  poke(file, 48, 1n << 53n)
  t.throws(() => qed.open(file, READ_ONLY), { code: 'FORMAT_UNSUPPORTED', message: /at most 2\^53/ })
  poke(file, 48, (1n << 53n) - 512n)
  t.is(qed.open(file, READ_ONLY).driver.size, 2 ** 53 - 512)
})

test('a file that ends in the header, or in the L1 table, is refused', t => {
  for (const [size, message] of [
    [0, /ends within the 64 bytes/],
    [63, /ends within the 64 bytes/],
    [64, /header_size is 1 clusters, more than/],
    [4096, /L1 table ends at 8192, but the file at 4096/],
    [8191, /L1 table ends at 8192, but the file at 8191/],
  ] as const) {
    const { file } = makeImage()
    file.truncate(size)
    t.throws(() => qed.open(file, READ_ONLY), { code: 'CORRUPT', message })
  }
})

test('every message names the file and is one line', t => {
  const { file } = makeImage()
  poke(file, 8, 5, 4)
  const { message } = t.throws(() => qed.open(file, READ_ONLY))
  t.true(message.startsWith(`${file.path}: `))
  t.false(message.includes('\n'))
})

const BACKING_FIELDS: [string, number, number, string, RegExp][] = [
  ['at 0', 0, 4, 'base', /backing_filename_offset is 0/],
  ['in the fields', 60, 4, 'base', /backing_filename_offset is 60/],
  ['over the end of the header', 4093, 4, '', /backing_filename_offset is 4093/],
  ['beyond the header', 4096, 4, '', /backing_filename_offset is 4096/],
  ['at the end of the world', MAX_32, 4, '', /backing_filename_offset is 4294967295/],
  ['empty', 64, 0, '', /name is empty/],
  ['too long', 64, 1024, '', /backing_filename_size is 1024/],
  ['of 4 GiB', 64, MAX_32, '', /backing_filename_size is 4294967295/],
  ['with a NUL', 64, 4, 'a\0bc', /NUL/],
]

for (const [what, offset, size, name, message] of BACKING_FIELDS) {
  test(`a backing file name ${what} is refused`, t => {
    const { file } = makeImage({ backing: { name: 'base', format: null } })
    poke(file, 56, offset, 4)
    poke(file, 60, size, 4)
    if (name !== '') {
      const buffer = new IoBuffer(name.length)
      buffer.bytes.set(Buffer.from(name))
      file.write(buffer, 0, name.length, 64)
    }
    t.throws(() => qed.open(file, READ_ONLY), { code: 'CORRUPT', message })
  })
}

test('a backing file name that is not UTF-8 is refused', t => {
  const { file } = makeImage({ backing: { name: 'base', format: null } })
  poke(file, 64, 0xff, 1)
  t.throws(() => qed.open(file, READ_ONLY), { message: /not UTF-8/ })
})

test('NO_PROBE says that the backing file is raw', t => {
  const raw = makeImage({ backing: { name: 'base', format: 'raw' } })
  t.deepEqual(qed.open(raw.file, READ_ONLY).backing, { name: 'base', format: 'raw' })
  const open = makeImage({ backing: { name: '/a/ü.img', format: null } })
  t.deepEqual(qed.open(open.file, READ_ONLY).backing, { name: '/a/ü.img', format: null })
})

test('unknown autoclear bits are cleared, durably, by the first open for writing only', t => {
  const { storage, file } = makeImage()
  poke(file, 32, MAX_64)
  storage.settle()
  qed.open(file, READ_ONLY)
  t.is(peek(file, 32), MAX_64)
  qed.open(file, { writable: true, metadataCache: 0 })
  t.is(peek(file, 32), 0n)
  t.deepEqual(
    storage.record.map(({ kind }) => kind),
    ['write', 'sync'],
  )
})

test('compat bits stay as they are', t => {
  const { file } = makeImage()
  poke(file, 24, MAX_64)
  qed.open(file, { writable: true, metadataCache: 0 })
  t.is(peek(file, 24), MAX_64)
})

test('the magic is probed, and nothing else', t => {
  t.true(qed.probe(Buffer.from('QED\0...')))
  t.false(qed.probe(Buffer.from('QED1...')))
  t.false(qed.probe(Buffer.from('QED')))
  t.false(qed.probe(new Uint8Array(0)))
})

test('a header that QEMU 7.2 wrote, byte for byte', t => {
  // qemu-img create -f qed -o cluster_size=4096,table_size=2,backing_file=base,backing_fmt=raw x.qed 1M
  const golden = Buffer.from(
    '51454400' +
      '00100000' +
      '02000000' +
      '01000000' +
      '0500000000000000' +
      '0000000000000000' +
      '0000000000000000' +
      '0010000000000000' +
      '0000100000000000' +
      '40000000' +
      '04000000' +
      '62617365',
    'hex',
  )
  const { file } = makeImage({ size: 1 << 20, tableSize: 2, backing: { name: 'base', format: 'raw' } })
  const buffer = new IoBuffer(golden.length)
  file.read(buffer, 0, golden.length, 0)
  t.is(Buffer.from(buffer.bytes).toString('hex'), golden.toString('hex'))
})
