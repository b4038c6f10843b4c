import test from 'ava'
import { ImageError } from '../../../src/errors.js'
import { qcow2 } from '../../../src/formats/qcow2/index.js'
import { type Spec, TestImage } from './images.js'

const MAX_32 = 0xffff_ffff
const MAX_64 = 0xffff_ffff_ffff_ffffn
const BACKING_FORMAT = 0xe2792aca
const FEATURE_NAMES = 0x6803f857

/** Field, its offset and length, then for each value what is said; null = the image opens. Clusters of 4096 bytes. */
const MUTATIONS: [string, number, 4 | 8, [number | bigint, RegExp | null][]][] = [
  [
    'magic',
    0,
    4,
    [
      [0, /does not start with "QFI\\xfb"/],
      [MAX_32, /"QFI/],
    ],
  ],
  [
    'version',
    4,
    4,
    [
      [0, /version 0/],
      [1, /is qcow version 1, and 2 and 3 are read here; convert it with qemu-img/],
      [2, null],
      [4, /version 4/],
      [MAX_32, /version 4294967295/],
    ],
  ],
  [
    'backing_file_offset',
    8,
    8,
    [
      [200, /its name is empty/],
      [MAX_64, /its name is empty/],
    ],
  ],
  ['backing_file_size', 16, 4, [[MAX_32, null]]],
  [
    'cluster_bits',
    20,
    4,
    [
      [0, /cluster_bits is 0, not 9 to 21/],
      [8, /cluster_bits is 8/],
      [22, /cluster_bits is 22/],
      [63, /cluster_bits is 63/],
      [MAX_32, /cluster_bits is 4294967295/],
      [9, /l1_size is 2 entries, but a disk of 4194304 bytes needs 128/],
      [21, /l1_table_offset is 4096, not a multiple of the cluster size 2097152/],
    ],
  ],
  [
    'size',
    24,
    8,
    [
      [0, null],
      [512, null],
      [4 << 20, null],
      [1, /size is 1, not a multiple of 512/],
      [(4 << 20) + 512, /l1_size is 2 entries, but a disk of 4194816 bytes needs 3/],
      [1n << 52n, /l1_size is 2 entries/],
      [1n << 53n, /at most 2\^53/],
      [(1n << 63n) - 512n, /at most 2\^53/],
      [1n << 63n, /at most 2\^53/],
      [MAX_64, /at most 2\^53/],
    ],
  ],
  [
    'crypt_method',
    32,
    4,
    [
      [1, /is encrypted \(AES\); convert it with qemu-img/],
      [2, /is encrypted \(LUKS\); .*--object secret.*--image-opts/],
      [3, /crypt_method is 3/],
      [MAX_32, /crypt_method is 4294967295/],
    ],
  ],
  [
    'l1_size',
    36,
    4,
    [
      [0, /l1_size is 0 entries, but a disk of 4194304 bytes needs 2/],
      [1, /l1_size is 1 entries/],
      [3, null],
      [2 ** 22, /the L1 table ends at 33558528, but the file at 81920: it was cut off/],
      [2 ** 22 + 1, /l1_size is 4194305 entries, more than 4194304/],
      [MAX_32, /l1_size is 4294967295 entries, more/],
    ],
  ],
  [
    'l1_table_offset',
    40,
    8,
    [
      [0, /l1_table_offset is 0, where the header lies/],
      [1, /l1_table_offset is 1, not a multiple/],
      [4096 + 512, /not a multiple/],
      [20 * 4096, /the L1 table ends at 81936, but the file at 81920/],
      [1n << 52n, /the L1 table ends/],
      [1n << 63n, /not a multiple/],
      [MAX_64, /not a multiple/],
    ],
  ],
  [
    'refcount_table_offset',
    48,
    8,
    [
      [0, null],
      [MAX_64, null],
    ],
  ],
  ['refcount_table_clusters', 56, 4, [[MAX_32, null]]],
  ['nb_snapshots', 60, 4, [[MAX_32, null]]],
  ['snapshots_offset', 64, 8, [[MAX_64, null]]],
  [
    'incompatible_features',
    72,
    8,
    [
      [1, null],
      [2, null],
      [4, /has its data in an external data file; convert it with qemu-img/],
      [8, /uses zstd compression/],
      [16, /extended L2 entries/],
      [32, /unknown here \(bit 5\)/],
      [1n << 31n, /\(bit 31\)/],
      [1n << 32n, /\(bit 32\)/],
      [1n << 63n, /\(bit 63\)/],
      [MAX_64, /\(bit 5\)/],
    ],
  ],
  ['compatible_features', 80, 8, [[MAX_64, null]]],
  ['autoclear_features', 88, 8, [[MAX_64, null]]],
  [
    'refcount_order',
    96,
    4,
    [
      [6, null],
      [7, /refcount_order is 7/],
      [MAX_32, /refcount_order is 4294967295/],
    ],
  ],
  [
    'header_length',
    100,
    4,
    [
      [0, /header_length is 0/],
      [103, /header_length is 103/],
      [104, null],
      [108, /header_length is 108, not a multiple of 8/],
      [112, null],
      [4096, null],
      [4104, /header_length is 4104/],
      [MAX_32, /header_length is 4294967295/],
    ],
  ],
  [
    'compression_type and its padding',
    104,
    4,
    [
      [0x0100_0000, /uses zstd compression, and zlib is read here; convert it/],
      [0x0200_0000, /compression type 2, which is unknown/],
      [0x00ff_ffff, null],
    ],
  ],
]

for (const [field, at, length, values] of MUTATIONS) {
  test(`${field}: every impossible value is refused by name in one line, and changes nothing`, t => {
    for (const [value, expected] of values) {
      const image = new TestImage()
      if (length === 4) image.put32(at, Number(value))
      else image.put64(at, value)
      image.storage.settle()
      if (expected === null) t.notThrows(() => image.open(), `${field} ${value}`)
      else {
        const { message } = t.throws(() => image.open(), { instanceOf: ImageError })
        t.regex(message, expected)
        t.true(message.startsWith(`${image.file.path}: `) && !message.includes('\n'), message)
      }
      t.deepEqual(image.storage.record, [])
    }
  })
}

test('fields of version 3 mean nothing in version 2', t => {
  const image = new TestImage({ version: 2 })
  image.put64(72, 0) // the end of the extensions
  image.put64(80, MAX_64)
  image.put64(96, MAX_64)
  t.notThrows(() => image.open())
})

test('a file that ends in the header or in the L1 table is refused', t => {
  for (const [version, size, message] of [
    [3, 0, /ends within the 72 bytes/],
    [3, 71, /ends within the 72 bytes/],
    [3, 103, /ends within the 104 bytes/],
    [3, 111, /ends within the 112 bytes/],
    [2, 71, /ends within the 72 bytes/],
    [2, 72, /the L1 table ends at 4112, but the file at 72/],
    [3, 4096, /the L1 table ends at 4112, but the file at 4096/],
    [3, 4111, /the L1 table ends at 4112, but the file at 4111/],
  ] as const) {
    const image = new TestImage({ version })
    image.file.truncate(size)
    t.throws(() => image.open(), { code: 'CORRUPT', message })
  }
})

test('an L1 table at the very end of the file is good', t => {
  const image = new TestImage()
  image.file.truncate(4112)
  t.notThrows(() => image.open())
})

test('an open for writing is refused with the ways that there are', t => {
  const image = new TestImage()
  image.storage.settle()
  t.throws(() => qcow2.open(image.file, { writable: true, metadataCache: 0 }), {
    code: 'READ_ONLY',
    message:
      '/images/disk.qcow2: qcow2 images are opened read-only; mount with -r, or put an image over it: rawmount create -f qed -b /images/disk.qcow2 NEW',
  })
  t.deepEqual(image.storage.record, [])
})

const names = (kind: number, bit: number, name: string) =>
  Buffer.concat([Buffer.from([kind, bit]), Buffer.from(name.padEnd(46, '\0'), 'latin1')])

test('an unknown feature is called what the image calls it, made printable', t => {
  const table = Buffer.concat([
    names(1, 5, 'a compatible one'),
    names(0, 6, 'another one'),
    names(0, 5, 'new\nwonder\xff'),
  ])
  const image = new TestImage({
    extensions: [
      [0x12345678, Buffer.alloc(5)],
      [FEATURE_NAMES, table],
    ],
  })
  image.put64(72, 32)
  t.throws(() => image.open(), {
    code: 'FORMAT_UNSUPPORTED',
    message:
      '/images/disk.qcow2: the image uses an incompatible feature that is unknown here (bit 5, "new?wonder?"); convert it with the program that made it',
  })
})

const format = (text: string) => [BACKING_FORMAT, Buffer.from(text, 'latin1')] as const

test('the backing file is named as the header names it, with its recorded format or none', t => {
  const backing = (spec: Spec) => new TestImage(spec).open().backing
  for (const version of [2, 3] as const) {
    t.is(backing({ version }), null)
    t.is(backing({ version, extensions: [format('raw')] }), null, 'a format without a file')
    t.deepEqual(backing({ version, backing: '/a/ü.img' }), { name: '/a/ü.img', format: null })
    t.deepEqual(backing({ version, backing: 'base', extensions: [format('qcow2')] }), {
      name: 'base',
      format: 'qcow2',
    })
    t.deepEqual(backing({ version, backing: 'base', extensions: [format('')] }), {
      name: 'base',
      format: null,
    })
  }
})

test('a name that fills its cluster to the last byte is read, extensions of any kind before it', t => {
  const image = new TestImage({ extensions: [[1, Buffer.alloc(3)], format('raw'), [2, Buffer.alloc(16)]] })
  const name = 'x'.repeat(1023)
  image.put64(8, 4096 - 1023)
  image.put32(16, 1023)
  image.putText(4096 - 1023, name)
  t.deepEqual(image.open().backing, { name, format: 'raw' })
})

const BAD_NAMES: [string, number | bigint, number, string, RegExp][] = [
  ['in the fields', 104, 4, '', /backing_file_offset is 104: the name must lie behind/],
  ['over the end of the cluster', 4093, 4, '', /backing_file_offset is 4093/],
  ['in the next cluster', 4096, 4, '', /backing_file_offset is 4096/],
  ['at the end of the world', MAX_64, 4, '', /backing_file_offset is 18446744073709552000/],
  ['of no length', 200, 0, '', /name is empty/],
  ['too long', 200, 1024, '', /backing_file_size is 1024, more than 1023/],
  ['of 4 GiB', 200, MAX_32, '', /backing_file_size is 4294967295/],
  ['with a NUL', 200, 4, 'a\0bc', /NUL/],
  ['that is not UTF-8', 200, 4, 'a\xffbc', /not UTF-8/],
]

for (const [what, offset, size, name, message] of BAD_NAMES) {
  test(`a backing file name ${what} is refused`, t => {
    const image = new TestImage()
    image.put64(8, offset)
    image.put32(16, size)
    image.putText(200, name)
    t.throws(() => image.open(), { instanceOf: ImageError, message })
  })
}

test('extensions that cannot be are refused, and those behind the end are not looked at', t => {
  const bad: [string, (image: TestImage) => void, RegExp | null][] = [
    ['longer than the cluster', image => image.put64(112, 0x1234_0000_0fa0n), /header extension is longer/],
    ['4 GiB', image => image.put64(112, 0x1234_ffff_ffffn), /header extension is longer/],
    ['one byte too long', image => image.put64(112, 0x1234_0000_0f89n), /header extension is longer/],
    ['just fits', image => image.put64(112, 0x1234_0000_0f88n), null],
    ['behind the end', image => image.put64(120, 0x1234_ffff_ffffn), null],
  ]
  for (const [what, damage, message] of bad) {
    const image = new TestImage()
    damage(image)
    if (message === null) t.notThrows(() => image.open(), what)
    else t.throws(() => image.open(), { code: 'CORRUPT', message }, what)
  }
})

test('a recorded format that is no name is refused', t => {
  for (const [name, message] of [
    ['a'.repeat(16), /has 16 bytes, more than 15/],
    ['a\nb', /is not a name/],
    ['qcow2\0', /is not a name/],
  ] as const) {
    const image = new TestImage({ backing: 'base', extensions: [format(name)] })
    t.throws(() => image.open(), { code: 'CORRUPT', message })
  }
})

test('marks of the header are told: dirty, corrupt, lazy refcounts, the width of refcounts', t => {
  const image = new TestImage()
  t.deepEqual(image.open().info, {
    clusterSize: 4096,
    dirty: false,
    specific: {
      compat: '1.1',
      'compression-type': 'zlib',
      'lazy-refcounts': false,
      'refcount-bits': 16,
      corrupt: false,
      'extended-l2': false,
    },
  })
  t.deepEqual(image.open().warnings, [])
  image.put64(72, 3)
  image.put64(80, 1)
  image.put32(96, 6)
  const { info, warnings } = image.open()
  t.true(info.dirty)
  t.like(info.specific, { corrupt: true, 'lazy-refcounts': true, 'refcount-bits': 64 })
  t.regex(warnings!.join(), /marked as corrupt.*qemu-img check -r all/)
  t.deepEqual(new TestImage({ version: 2 }).open().info.specific, {
    compat: '0.10',
    'compression-type': 'zlib',
    'refcount-bits': 16,
  })
})

test('the magic is probed, and nothing else', t => {
  t.true(qcow2.probe(Buffer.from('QFI\xfb...', 'latin1')))
  t.false(qcow2.probe(Buffer.from('QFI\xfa...', 'latin1')))
  t.false(qcow2.probe(Buffer.from('QFI')))
  t.false(qcow2.probe(new Uint8Array(0)))
})
