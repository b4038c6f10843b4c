import { createHash } from 'node:crypto'
import test from 'ava'
import { type CreateImageOptions, createImage } from '../../../src/disk/create.js'
import type { CreateOptions } from '../../../src/formats/format.js'
import { CREATE_OPTIONS, create } from '../../../src/formats/fvd/create.js'
import { readHeader, readRawHeader } from '../../../src/formats/fvd/header.js'
import { fvd } from '../../../src/formats/fvd/index.js'
import type { RawHeader } from '../../../src/formats/fvd/layout.js'
import { errno } from '../../../src/libc/errno.js'
import { GOLDEN, type GoldenImage } from '../../support/golden.js'
import { seeded } from '../../support/random.js'
import { SimulatedStorage } from '../../support/simulated-storage.js'
import { SparseBytes } from '../../support/sparse-bytes.js'
import { TestDisk } from '../../support/test-disk.js'
import { BASE, bitmapOf, PATH } from './images.js'

const KIB = 1024
const MIB = 1024 * KIB
const GIB = 1024 * MIB
const TIB = 1024 * GIB
const DATA = '/images/data'

interface Asked {
  readonly size?: number
  readonly options?: Readonly<Record<string, string>>
  /** Bytes of a base that is all data; 0 = no base. */
  readonly base?: number
  readonly baseName?: string
  readonly baseFormat?: string | null
}

/** Of the format by itself: nothing is opened. */
function ask({ size = 4 * MIB, options = {}, base = 0, baseName = 'base.raw', baseFormat = null }: Asked) {
  return {
    size,
    options: new Map(Object.entries(options)),
    backing: base === 0 ? null : { name: baseName, format: baseFormat },
    base: base === 0 ? null : { size: base, zerosUntil: (at: number) => at, dataUntil: () => base },
    companion: () => {
      throw new Error('no data file was asked for')
    },
  } satisfies CreateOptions
}

function made(asked: Asked): { header: RawHeader; storage: SimulatedStorage } {
  const storage = new SimulatedStorage()
  const file = storage.create(PATH, false)
  create(file, ask(asked))
  readHeader(file)
  return { storage, header: readRawHeader(file) }
}

/** What createImage() makes on a simulated disk. */
interface Settings extends Omit<Partial<CreateImageOptions>, 'options'> {
  readonly options?: Readonly<Record<string, string>>
}

function makeImage(storage: SimulatedStorage, { options = {}, ...rest }: Settings): void {
  const size = MIB
  createImage(PATH, {
    format: 'fvd',
    host: storage,
    size,
    ...rest,
    options: new Map(Object.entries(options)),
  })
}

interface Command {
  readonly asked: Asked
  readonly usesDataFile: boolean
}

/** The line with which the reference made the image. */
function commandOf(image: GoldenImage): Command {
  const commands = (image as unknown as { commands: string[] }).commands
  const line = commands.find(command => command.startsWith('qemu-img create'))!
  const options = /-o (\S+)/.exec(line)?.[1]?.split(',') ?? []
  const base = commands.join('\n').match(/# base\.raw: (\d+) bytes/)
  const given = Object.fromEntries(options.map(option => option.split('=') as [string, string]))
  return {
    usesDataFile: 'data_file' in given,
    asked: {
      size: Math.ceil(Number(line.split(' ').at(-1)) / 512) * 512,
      options: given,
      base: Number(base?.[1] ?? 0),
      baseName: /-b (\S+)/.exec(line)?.[1] ?? '',
    },
  }
}

for (const image of GOLDEN) {
  test(`create with the options of ${image.name} makes the header that the reference made`, t => {
    const { asked, usesDataFile } = commandOf(image)
    const storage = new SimulatedStorage()
    const file = storage.create(PATH, false)
    create(file, { ...ask(asked), companion: () => storage.create(DATA, false) })
    const header: Record<string, unknown> = { ...readRawHeader(file) }
    const expected: Record<string, unknown> = { ...image.header, clean_shutdown: 1 }
    // The prefetcher sets it, later.
    if (image.header.base_img !== '') expected.all_data_in_fvd_img = 0
    if (usesDataFile) expected.data_file_fmt = 'raw'
    t.deepEqual(header, expected)
    t.is(file.size(), image.header.metadata_size as number)
    t.notThrows(() => readHeader(file))
    if (image.name.endsWith('-fresh')) {
      const hash = createHash('sha256').update(storage.contents(PATH).bytes()).digest('hex')
      t.is(hash, image.files['image.fvd']!.sha256)
    }
  })
}

test('the block size doubles until the bitmap takes 4 MiB', t => {
  t.is(made({ size: 16 * GIB, base: 16 * GIB }).header.block_size, 512)
  t.is(made({ size: TIB, base: 16 * GIB + 512 }).header.block_size, 1024)
  t.is(made({ size: TIB, base: TIB }).header.block_size, 32 * KIB)
})

test('a prefetch moves whole blocks, and a compact image grows by whole chunks', t => {
  const options = { compact_image: 'on', chunk_size: '256M', block_size: '1048064' }
  const { header } = made({ options, base: MIB })
  t.is(header.bytes_per_prefetch, 2 * 1048064)
  t.is(header.storage_grow_unit, 256 * MIB)
})

test('the journal of a large table takes all its entries, and is a hole', t => {
  const { header, storage } = made({ size: 5 * TIB, options: { compact_image: 'on' } })
  t.is(header.journal_size, Math.ceil((Math.ceil((5 * MIB) / 121) * 512) / 4096) * 4096)
  t.is(storage.contents(PATH).size, header.metadata_size)
  t.true(storage.contents(PATH).isZero(header.journal_offset, header.journal_size))
})

test('the table is all FF to the end of its page, behind it the journal is zeros', t => {
  const { storage, header } = made({
    size: 100 * KIB + 512,
    options: { compact_image: 'on', chunk_size: '4K' },
  })
  const { table_offset: table, journal_offset: journal } = header
  const bytes = storage.contents(PATH).bytes(table, journal - table + 4096)
  t.is(journal - table, 4096)
  t.true(bytes.subarray(0, 4096).every(byte => byte === 0xff))
  t.true(bytes.subarray(4096).every(byte => byte === 0))
})

test('room for a profile begins on a page behind the journal, and ends where the data begin', t => {
  const options = { journal_size: '1000', profile_size: '5000', unit_of_PrefetchProfileEntry_len: '64K' }
  const { header } = made({ options, base: MIB })
  t.like(header, {
    journal_offset: 12288,
    journal_size: 4096,
    prefetch_profile_offset: 16384,
    prefetch_profile_entries: 0,
    metadata_size: 16384 + 8192,
    unit_of_PrefetchProfileEntry_len: 65536,
  })
})

test('generate_prefetch_profile makes room for one, unless it is said to be elsewhere or none', t => {
  const room = ({ metadata_size: end, prefetch_profile_offset: start }: RawHeader) => end - start
  t.is(room(made({ options: { generate_prefetch_profile: 'on' }, base: MIB }).header), 64 * KIB)
  t.throws(() => made({ options: { generate_prefetch_profile: 'on', profile_size: '0' }, base: MIB }), {
    message: /generate_prefetch_profile is on, but the image has no room/,
  })
})

test('a flat image without a base keeps all areas on pages, whatever journal is asked for', t => {
  t.like(made({ options: { journal_size: '1000' } }).header, {
    journal_offset: 8192,
    journal_size: 4096,
    metadata_size: 12288,
  })
})

test('every setting is taken, in each of the ways to write it', t => {
  const written: Record<string, [string, number | string]> = {
    copy_on_read: ['true', 1],
    max_outstanding_copy_on_read_data: ['4M', 4 * MIB],
    prefetch_start_delay: ['-5', -5],
    num_prefetch_slots: ['7', 7],
    bytes_per_prefetch: ['2M', 2 * MIB],
    prefetch_read_throughput_measure_time: ['1', 1],
    prefetch_write_throughput_measure_time: ['200', 200],
    prefetch_perf_calc_alpha: ['0', 0],
    prefetch_min_read_throughput: ['10', 10],
    prefetch_min_write_throughput: ['11', 11],
    prefetch_max_read_throughput: ['12', 12],
    prefetch_max_write_throughput: ['4294967295', 4294967295],
    prefetch_throttle_time: ['0', 0],
    storage_grow_unit: ['3M', 3 * MIB],
    add_storage_cmd: ['lvextend -L +1G /dev/vg/ü', 'lvextend -L +1G /dev/vg/ü'],
    generate_prefetch_profile: ['yes', 1],
    unit_of_PrefetchProfileEntry_len: ['512', 512],
    profile_directed_prefetch_start_delay: ['3', 3],
    write_updates_base_img: ['writeback', 'writeback'],
  }
  const options: Record<string, string> = { compact_image: '1' }
  for (const [name, [text]] of Object.entries(written)) options[name] = text
  const { header } = made({ options, base: MIB, baseFormat: 'raw' })
  for (const [name, [, value]] of Object.entries(written)) t.is(header[name as keyof RawHeader], value, name)
  t.is(header.base_img_fmt, 'raw')
  const given = [...Object.keys(options), 'data_file', 'data_file_fmt', 'block_size', 'chunk_size']
  t.deepEqual(
    Object.keys(CREATE_OPTIONS)
      .filter(name => !given.includes(name))
      .sort(),
    ['detect_sparse_hole', 'journal_size', 'profile_size'],
  )
})

const COMPACT = { compact_image: 'on' }

const REFUSED: [string, Asked, RegExp][] = [
  ['a size that is no whole sector', { size: 1000 }, /1000 is not a multiple of 512; take 1024/],
  ['a size of 2^53', { size: 2 ** 53 }, /impossible/],
  ['a size below 0', { size: -512 }, /impossible/],
  [
    'a disk that with its metadata is more than 2^53',
    { size: 2 ** 53 - 512, options: { compact_image: 'on', chunk_size: '1T' } },
    /2\^53/,
  ],
  ['a block size without a base', { options: { block_size: '64K' } }, /block_size .*no.*-b/],
  [
    'a block size of no sectors',
    { base: MIB, options: { block_size: '1000' } },
    /multiple of 512; take 1024/,
  ],
  ['a block size of 0', { base: MIB, options: { block_size: '0' } }, /block_size is 0 bytes, and can be 512/],
  ['a block size of 4 GiB', { base: MIB, options: { block_size: '4G' } }, /block_size is 4294967296/],
  ['a block size of words', { base: MIB, options: { block_size: 'big' } }, /block_size "big" is not a size/],
  [
    'a chunk size of a flat image',
    { options: { chunk_size: '64K' } },
    /chunk_size .*flat; say compact_image=on/,
  ],
  [
    'a chunk size off the page',
    { options: { ...COMPACT, chunk_size: '5000' } },
    /5000 bytes.*4096; take 8192/,
  ],
  ['a chunk size of 0', { options: { ...COMPACT, chunk_size: '0' } }, /chunk_size is 0/],
  [
    'a grow unit of a flat image',
    { options: { storage_grow_unit: '1M' } },
    /storage_grow_unit .*compact_image=on/,
  ],
  [
    'a grow unit below the chunk',
    { options: { ...COMPACT, storage_grow_unit: '64K' } },
    /storage_grow_unit is 65536, less than the chunk_size of 1048576/,
  ],
  [
    'a storage command of a flat image',
    { options: { add_storage_cmd: 'x' } },
    /add_storage_cmd .*compact_image=on/,
  ],
  [
    'a storage command of 2 KiB',
    { options: { ...COMPACT, add_storage_cmd: 'x'.repeat(2048) } },
    /2048 bytes.*2047/,
  ],
  [
    'a flag that is none',
    { options: { compact_image: 'maybe' } },
    /compact_image takes on or off, not "maybe"/,
  ],
  [
    'a journal that is too small for the table',
    { size: GIB, options: { ...COMPACT, chunk_size: '4K', journal_size: '64K' } },
    /journal_size is 65536, too small for the 262144 chunks; take at least 1109504, or 0/,
  ],
  ['a journal of less than a sector', { base: MIB, options: { journal_size: '100' } }, /less than a sector/],
  ['a journal below 0', { base: MIB, options: { journal_size: '-2' } }, /journal_size "-2" is not a size/],
  [
    'a table of 2 GiB',
    { size: 2 ** 41, options: { ...COMPACT, chunk_size: '4K' } },
    /table .*larger chunk_size/,
  ],
  [
    'a bitmap of 2 GiB',
    { size: 2 ** 43, base: 2 ** 43, options: { block_size: '512' } },
    /bitmap .*larger block_size/,
  ],
  ['copy-on-read without a base', { options: { copy_on_read: 'on' } }, /copy_on_read .*base.*-b/],
  ['copy-on-read without a base, even when off', { options: { copy_on_read: 'off' } }, /copy_on_read .*base/],
  [
    'a start of prefetching without a base',
    { options: { prefetch_start_delay: '1' } },
    /prefetch_start_delay/,
  ],
  [
    'a search for holes without a base',
    { options: { detect_sparse_hole: 'on' } },
    /detect_sparse_hole .*base/,
  ],
  ['room for a profile without a base', { options: { profile_size: '4K' } }, /profile_size .*base/],
  ['a profile of 2 GiB', { base: MIB, options: { profile_size: '2G' } }, /profile_size is 2147483648/],
  [
    'a maximum of throughput below the minimum',
    { base: MIB, options: { prefetch_max_write_throughput: '5119' } },
    /prefetch_max_write_throughput is 5119, less than the prefetch_min_write_throughput of 5120/,
  ],
  [
    'an alpha of 101',
    { base: MIB, options: { prefetch_perf_calc_alpha: '101' } },
    /from 0 to 100, not "101"/,
  ],
  ['no slots', { base: MIB, options: { num_prefetch_slots: '0' } }, /num_prefetch_slots takes .* 1 to 1024/],
  [
    'a delay of words',
    { base: MIB, options: { prefetch_start_delay: 'soon' } },
    /prefetch_start_delay takes/,
  ],
  [
    'a delay of 2^31',
    { base: MIB, options: { prefetch_start_delay: '2147483648' } },
    /prefetch_start_delay takes/,
  ],
  [
    'a time of 1.5',
    { base: MIB, options: { prefetch_throttle_time: '1.5' } },
    /prefetch_throttle_time takes/,
  ],
  [
    'a throughput of 2^32',
    { base: MIB, options: { prefetch_min_read_throughput: '4294967296' } },
    /takes a number/,
  ],
  [
    'a prefetch of half blocks',
    { base: MIB, options: { block_size: '7680', bytes_per_prefetch: '8K' } },
    /bytes_per_prefetch is 8192, not a multiple of the block_size of 7680; take 15360/,
  ],
  [
    'prefetches of more than 1 GiB at a time',
    { base: MIB, options: { num_prefetch_slots: '64', bytes_per_prefetch: '32M' } },
    /take 2147483648 bytes of memory/,
  ],
  [
    'a unit of no sectors',
    { base: MIB, options: { unit_of_PrefetchProfileEntry_len: '100' } },
    /unit_of_Pre/,
  ],
  [
    'an unknown way to write through',
    { base: MIB, options: { write_updates_base_img: 'sometimes' } },
    /writeback/,
  ],
  ['a base name of 1024 bytes', { base: MIB, baseName: 'ü'.repeat(512) }, /base has 1024 bytes.*1023/],
  ['an empty base name', { base: MIB, baseName: '' }, /base must not be empty/],
  ['a base name with a NUL', { base: MIB, baseName: 'a\0b' }, /NUL/],
  ['a base name that is not UTF-8', { base: MIB, baseName: 'a\ufffd' }, /UTF-8/],
  ['a base format of 16 bytes', { base: MIB, baseFormat: 'x'.repeat(16) }, /format of the base has 16 bytes/],
  [
    'a data file name of 1024 bytes',
    { options: { data_file: 'x'.repeat(1024) } },
    /data_file has 1024 bytes/,
  ],
  [
    'a format of no data file',
    { options: { data_file_fmt: 'raw' } },
    /data_file_fmt .*name one with data_file/,
  ],
  [
    'a data file that is the base',
    { base: MIB, options: { data_file: 'base.raw' } },
    /data_file and base_img are the same file/,
  ],
]

for (const [what, asked, message] of REFUSED) {
  test(`${what} is refused in one line, and the file is as it was`, t => {
    const storage = new SimulatedStorage()
    storage.addFile(PATH, new Uint8Array(100).fill(7))
    const file = storage.open(PATH, true)
    const error = t.throws(() => create(file, ask(asked)), { code: 'INVALID', message })
    t.true(error.message.startsWith(`${PATH}: `))
    t.false(error.message.includes('\n'))
    t.is(storage.calls.length, 0)
  })
}

test('a misspelt option is refused by name', t => {
  t.throws(() => makeImage(new SimulatedStorage(), { options: { blocksize: '512' } }), {
    code: 'INVALID',
    message: /has no option 'blocksize'; it has .*block_size/,
  })
})

test('a base that is not opened is taken to be as long as the disk', t => {
  const storage = new SimulatedStorage()
  makeImage(storage, { backing: { name: 'gone', format: 'raw' }, unsafeBacking: true })
  const header = readRawHeader(storage.open(PATH, false))
  t.like(header, { base_img: 'gone', base_img_fmt: 'raw', base_img_size: MIB })
  t.throws(
    () =>
      makeImage(storage, {
        backing: { name: 'gone', format: 'raw' },
        unsafeBacking: true,
        overwrite: true,
        options: { detect_sparse_hole: 'on' },
      }),
    { message: /detect_sparse_hole looks into the base/ },
  )
})

test('the header is written last, and behind a barrier: half an image is none', t => {
  const { storage } = made({ size: GIB, base: MIB, options: COMPACT })
  const changes = storage.calls.filter(({ kind }) => kind !== 'read')
  const kinds = changes.map(({ kind, offset }) => (kind === 'write' && offset === 0 ? 'header' : kind))
  t.deepEqual(kinds.slice(-3), ['sync', 'header', 'sync'])
  t.is(kinds.filter(kind => kind === 'header').length, 1)
})

test('when a write fails, the new image and its new data file are gone again', t => {
  for (const nth of [1, 2, 3]) {
    const storage = new SimulatedStorage()
    storage.failNext('any', errno.ENOSPC, { nth: nth + 1 })
    t.throws(() => makeImage(storage, { options: { ...COMPACT, data_file: 'data' } }), {
      message: /No space|ENOSPC/,
    })
    t.false(storage.has(PATH))
    t.false(storage.has(DATA))
    t.deepEqual(storage.leftOpen(), [])
  }
})

test('a disk of size 0 can be made and opened', t => {
  for (const options of [{}, COMPACT]) {
    const storage = new SimulatedStorage()
    makeImage(storage, { size: 0, options })
    const disk = TestDisk.open(PATH, { host: storage, writable: true })
    t.is(disk.size, 0)
    disk.close()
  }
})

// detect_sparse_hole

const LAYOUTS: Record<string, Record<string, string>> = {
  'flat, 512 B': { block_size: '512' },
  'flat, 64 KiB': { block_size: '64K' },
  'compact, 7680 B': { ...COMPACT, chunk_size: '64K', block_size: '7680' },
  'compact, default': COMPACT,
  'data file': { data_file: 'data', block_size: '4K' },
}

/** A base with holes; ends within a sector. */
function sparseBase(random: { below(limit: number): number }): SparseBytes {
  const base = new SparseBytes()
  base.truncate(3 * MIB + 700)
  for (let n = 0; n < 12; n++) {
    const offset = random.below(3 * MIB)
    base.write(offset, new Uint8Array(Math.min(1 + random.below(100 * KIB), base.size - offset)).fill(n + 1))
  }
  return base
}

for (const [layout, options] of Object.entries(LAYOUTS)) {
  test(`an image that knows the holes of its base shows the same disk: ${layout}`, t => {
    const random = seeded(t)
    for (let round = 0; round < 3; round++) {
      const storage = new SimulatedStorage()
      const base = sparseBase(random)
      storage.addFile(BASE, base)
      makeImage(storage, {
        size: null,
        backing: { name: 'base.raw', format: 'raw' },
        options: { journal_size: '64K', ...options, detect_sparse_hole: 'on' },
      })
      const header = readRawHeader(storage.open(PATH, false))
      t.is(header.need_zero_init, 1)
      const expected = new Uint8Array(header.virtual_disk_size)
      expected.set(base.bytes(0, header.base_img_size))
      const bits = new Set(bitmapOf(storage))
      const blocks = Math.ceil(header.base_img_size / header.block_size)
      const holes = Array.from({ length: blocks }, (_, block) => block).filter(block => {
        const start = block * header.block_size
        return isHole(base, start, Math.min(start + header.block_size, header.base_img_size))
      })
      t.deepEqual([...bits], holes)
      const disk = TestDisk.open(PATH, { host: storage, writable: true })
      t.true(same(disk.read(0, disk.size), expected))
      const where = random.below(disk.size - 5000)
      disk.write(where, new Uint8Array(5000).fill(0xee))
      expected.fill(0xee, where, where + 5000)
      t.true(same(disk.read(0, disk.size), expected))
      disk.close()
    }
  })
}

/** As deepEqual(), which takes seconds for megabytes. */
function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.from(a.buffer, a.byteOffset, a.length).equals(b)
}

function isHole(bytes: SparseBytes, start: number, end: number): boolean {
  return bytes.stretch(start, true) >= end
}

test('a least size of holes leaves the smaller ones to the base', t => {
  const storage = new SimulatedStorage()
  const base = new SparseBytes()
  base.truncate(MIB)
  base.write(0, new Uint8Array(4096).fill(1))
  base.write(64 * KIB, new Uint8Array(4096).fill(1))
  storage.addFile(BASE, base)
  const at = (least: string) => {
    makeImage(storage, {
      overwrite: true,
      backing: { name: 'base.raw', format: 'raw' },
      options: { block_size: '4K', detect_sparse_hole: least },
    })
    return bitmapOf(storage)
  }
  t.is(at('61440').length, 15 + 239)
  t.deepEqual(at('61441')[0], 17)
  t.deepEqual(at('off'), [])
})

// data_file

test('a data file is made beside the image, empty, and its format recorded', t => {
  const storage = new SimulatedStorage()
  makeImage(storage, { options: { data_file: 'data' } })
  t.is(storage.contents(DATA).size, 0)
  const file = storage.open(PATH, false)
  t.like(readRawHeader(file), { data_file: 'data', data_file_fmt: 'raw', metadata_size: 8192 })
  t.is(file.size(), 8192)
  const disk = TestDisk.open(PATH, { host: storage, writable: true })
  disk.write(1000, Uint8Array.of(1, 2, 3))
  disk.close()
  t.deepEqual(storage.contents(DATA).bytes(1000, 3), Uint8Array.of(1, 2, 3))
})

test('an empty data file is taken, one with something in it only with overwrite, and is emptied', t => {
  for (const options of [{ data_file: 'data' }, { ...COMPACT, data_file: 'data' }]) {
    const storage = new SimulatedStorage()
    storage.addFile(DATA, new Uint8Array(3 * MIB).fill(9))
    t.throws(() => makeImage(storage, { options }), {
      code: 'REFUSED',
      message: /disk\.fvd: the data file .*data is not empty; .*--force/,
    })
    t.false(storage.has(PATH))
    t.is(storage.contents(DATA).size, 3 * MIB)
    makeImage(storage, { options, overwrite: true })
    t.is(storage.contents(DATA).size, 0)
    const disk = TestDisk.open(PATH, { host: storage, writable: false })
    t.true(disk.read(0, MIB).every(byte => byte === 0))
    disk.close()
    storage.remove(PATH)
    makeImage(storage, { options })
    t.deepEqual(
      storage.leftOpen().filter(path => path !== PATH),
      [],
    )
  }
})

test('a data file that is an image must be there, be large enough, and shows none of its old bytes', t => {
  const storage = new SimulatedStorage()
  const options = { data_file: 'data', data_file_fmt: 'qed' }
  t.throws(() => makeImage(storage, { options }), {
    code: 'NOT_FOUND',
    message: /data file .*data does not exist; make it first, with "rawmount create -f qed"/,
  })
  createImage(DATA, { format: 'qed', size: MIB - 512, host: storage })
  t.throws(() => makeImage(storage, { options }), { message: /1048064 bytes, less than the 1048576/ })
  t.throws(() => makeImage(storage, { options: { data_file: 'data', data_file_fmt: 'fvd' } }), {
    code: 'CORRUPT',
    message: /data/,
  })
  createImage(DATA, { format: 'qed', size: MIB, host: storage, overwrite: true })
  const data = TestDisk.open(DATA, { host: storage, writable: true })
  data.write(5000, new Uint8Array(100_000).fill(3))
  data.close()
  t.throws(() => makeImage(storage, { options }), { code: 'REFUSED', message: /not empty/ })
  makeImage(storage, { options, overwrite: true })
  const disk = TestDisk.open(PATH, { host: storage, writable: true })
  t.true(disk.read(0, MIB).every(byte => byte === 0))
  disk.close()
  t.deepEqual(storage.leftOpen(), [])
})

test('a data file on a device is zeroed where the flat image will show it', t => {
  const storage = new SimulatedStorage()
  storage.addSpecial(DATA, 'block')
  storage.contents(DATA).write(0, new Uint8Array(2 * MIB).fill(5))
  t.throws(() => makeImage(storage, { options: { data_file: 'data' } }), { message: /not empty/ })
  makeImage(storage, { options: { data_file: 'data' }, overwrite: true })
  t.true(storage.contents(DATA).isZero(0, MIB))
  t.false(storage.contents(DATA).isZero(MIB, MIB))
  t.throws(() => makeImage(storage, { size: 3 * MIB, options: { data_file: 'data' }, overwrite: true }), {
    message: /2097152 bytes, less than the 3145728/,
  })
})

test('a data file that is the image, its base, in use, or no file at all is refused', t => {
  const storage = new SimulatedStorage()
  storage.addFile(BASE, new Uint8Array(MIB))
  storage.link('/images/alias', BASE)
  storage.addSpecial('/images/fifo', 'other')
  storage.addFile('/images/used', new Uint8Array(0))
  const used = storage.open('/images/used', true)
  storage.lock(used)
  const attempt = (name: string) =>
    makeImage(storage, {
      overwrite: true,
      backing: { name: 'base.raw', format: 'raw' },
      options: { data_file: name },
    })
  t.throws(() => attempt('disk.fvd'), { code: 'REFUSED', message: /disk\.fvd' leads back to/ })
  t.throws(() => attempt('./base.raw'), { code: 'REFUSED', message: /base\.raw' leads back to/ })
  t.throws(() => attempt('alias'), { code: 'REFUSED', message: /alias' leads back to/ })
  t.throws(() => attempt('fifo'), { code: 'REFUSED', message: /FIFO/ })
  t.throws(() => attempt('nbd://host/x'), { code: 'REFUSED', message: /not the name of a file/ })
  t.throws(() => attempt('used'), { code: 'IN_USE', message: /used/ })
  used.close()
  t.false(storage.has(PATH))
  t.deepEqual(storage.leftOpen(), [])
  t.deepEqual(storage.contents(BASE).size, MIB)
})

test('the options of create are listed with what they mean', t => {
  for (const meaning of Object.values(fvd.createOptions)) t.regex(meaning, /^[a-zA-Z]/)
  t.regex(fvd.createOptions.prefetch_throttle_time!, /milliseconds.*\(default 30000\)/)
})
