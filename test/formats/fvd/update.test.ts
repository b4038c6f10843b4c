import test from 'ava'
import { renameBase } from '../../../src/disk/backing-name.js'
import { checkImage } from '../../../src/disk/check.js'
import { createImage } from '../../../src/disk/create.js'
import { type UpdateImageOptions, updatableFields, updateImage } from '../../../src/disk/update.js'
import { readRawHeader } from '../../../src/formats/fvd/header.js'
import { INTERRUPTED } from '../../../src/formats/fvd/interrupted.js'
import { FIELD_NAMES, type RawHeader } from '../../../src/formats/fvd/layout.js'
import { CrashStates, randomChoice, singleChoices, systematicChoices } from '../../support/crash-states.js'
import { seeded } from '../../support/random.js'
import { SimulatedStorage } from '../../support/simulated-storage.js'
import { TestDisk } from '../../support/test-disk.js'
import { BASE, basePattern, fill, makeFvd, PATH, poke, story } from './images.js'

const KIB = 1024
const MIB = 1024 * KIB
const COMPACT = {
  compact_image: 'on',
  chunk_size: 4096,
  storage_grow_unit: 4096,
  block_size: 4096,
  journal_size: 8192,
}

/** Compact, on a base of 96 KiB, with 4 MiB of disk. */
function image(options: Record<string, string | number> = {}): SimulatedStorage {
  return makeFvd({ size: 4 * MIB, baseSize: 96 * KIB, options: { ...COMPACT, ...options } })
}

function update(
  host: SimulatedStorage,
  changes: Record<string, string>,
  options: UpdateImageOptions = {},
): ReturnType<typeof updateImage> {
  return updateImage(PATH, new Map(Object.entries(changes)), { host, ...options })
}

function headerOf(storage: SimulatedStorage): RawHeader {
  const file = storage.open(PATH, false)
  try {
    return readRawHeader(file)
  } finally {
    file.close()
  }
}

const CHANGES: [string, string, number | string][] = [
  ['base_img_fmt', '', ''],
  ['copy_on_read', 'on', 1],
  ['max_outstanding_copy_on_read_data', '1M', MIB],
  ['prefetch_start_delay', '-7', -7],
  ['num_prefetch_slots', '1024', 1024],
  ['bytes_per_prefetch', '64K', 64 * KIB],
  ['prefetch_read_throughput_measure_time', '5', 5],
  ['prefetch_write_throughput_measure_time', '6', 6],
  ['prefetch_perf_calc_alpha', '100', 100],
  ['prefetch_min_read_throughput', '7', 7],
  ['prefetch_min_write_throughput', '8', 8],
  ['prefetch_max_read_throughput', '9000', 9000],
  ['prefetch_max_write_throughput', '9001', 9001],
  ['prefetch_throttle_time', '0', 0],
  ['storage_grow_unit', '1G', 1024 * MIB],
  ['add_storage_cmd', 'echo "a=b"', 'echo "a=b"'],
  ['clean_shutdown', 'off', 0],
  ['need_zero_init', 'true', 1],
  ['unit_of_PrefetchProfileEntry_len', '512', 512],
  ['profile_directed_prefetch_start_delay', '60', 60],
  ['write_updates_base_img', 'writeback', 'writeback'],
]

for (const [name, text, value] of CHANGES) {
  test(`${name} changes, and nothing else does, by one sector and a barrier`, t => {
    const storage = image()
    const before = headerOf(storage)
    const bytes = storage.contents(PATH).bytes().slice()
    t.deepEqual(update(storage, { [name]: text }), [
      { name, before: before[name as keyof RawHeader], after: value },
    ])
    t.deepEqual(headerOf(storage), { ...before, [name]: value })
    const [write, ...rest] = story(storage)
    t.regex(write!, /^write \d+\+512$/)
    t.deepEqual(rest, ['sync'])
    t.true(Buffer.from(bytes).subarray(4608).equals(storage.contents(PATH).bytes(4608)))
    t.deepEqual(update(storage, { [name]: text }), [])
    t.is(story(storage).length, 2)
    t.deepEqual(storage.leftOpen(), [])
  })
}

test('what is listed is what can be changed, with its value', t => {
  const storage = image({ data_file: 'data', profile_size: 4096 })
  const fields = updatableFields(PATH, { host: storage })
  const header = headerOf(storage)
  for (const { name, value, meaning } of fields) {
    t.is(value, header[name as keyof RawHeader])
    t.truthy(meaning)
    t.notThrows(() => update(storage, { [name]: `${value}` }), name)
  }
  t.deepEqual(
    fields.map(({ name }) => name),
    FIELD_NAMES.filter(name => fields.some(field => field.name === name)),
  )
  t.deepEqual(
    fields.map(({ name }) => name).sort(),
    [
      ...CHANGES.map(([name]) => name),
      'base_img',
      'data_file',
      'data_file_fmt',
      'generate_prefetch_profile',
      'prefetch_profile_entries',
    ].sort(),
  )
  const flat = makeFvd()
  t.deepEqual(
    updatableFields(PATH, { host: flat }).map(({ name }) => name),
    ['clean_shutdown', 'need_zero_init'],
  )
})

const REFUSED: [string, Record<string, string>, RegExp][] = [
  ['an unknown field', { copyonread: 'on' }, /no field "copyonread"; .*lists/],
  ['a field named like a property of objects', { constructor: '1' }, /no field "constructor"/],
  ['magic', { magic: '1' }, /magic cannot be changed/],
  ['version', { version: '2' }, /version cannot be changed/],
  ['the base declared not to be needed', { all_data_in_fvd_img: '1' }, /last block was copied/],
  ['the base declared to be needed', { all_data_in_fvd_img: '0' }, /cannot be changed/],
  ['another size', { virtual_disk_size: '8M' }, /virtual_disk_size cannot be changed.*rawmount resize/],
  ['another block size', { block_size: '512' }, /laid out.*new image/],
  ['another layout', { compact_image: 'off' }, /laid out/],
  ['a moved journal', { journal_offset: '0' }, /laid out/],
  ['a moved profile', { prefetch_profile_offset: '0' }, /laid out/],
  ['another length of the base', { base_img_size: '512' }, /bitmap made for it/],
  ['entries for a profile', { prefetch_profile_entries: '5' }, /prefetch_profile_entries takes 0/],
  ['a data file for an image that has none', { data_file: 'x' }, /data_file .*own file/],
  ['a format of no data file', { data_file_fmt: 'raw' }, /data_file_fmt .*own file/],
  ['no base', { base_img: '' }, /base_img must not be empty/],
  ['a base name of 1024 bytes', { base_img: 'x'.repeat(1024) }, /1024 bytes/],
  ['a format name of 16 bytes', { base_img_fmt: 'x'.repeat(16) }, /16 bytes/],
  ['a flag that is none', { copy_on_read: '2' }, /on or off/],
  ['an alpha of 101', { prefetch_perf_calc_alpha: '101' }, /0 to 100/],
  ['a grow unit below the chunk', { storage_grow_unit: '4095' }, /storage_grow_unit is 4095/],
  ['a prefetch of half blocks', { bytes_per_prefetch: '6K' }, /not a multiple of the block_size of 4096/],
  [
    'a maximum below the minimum',
    { prefetch_max_read_throughput: '1' },
    /prefetch_max_read_throughput is 1, less than the prefetch_min_read_throughput of 5120/,
  ],
  ['a profile without room', { generate_prefetch_profile: 'on' }, /no room for a profile/],
  [
    'one impossible value among others',
    { copy_on_read: 'on', num_prefetch_slots: '0' },
    /num_prefetch_slots/,
  ],
]

for (const [what, changes, message] of REFUSED) {
  test(`${what} is refused in one line, and nothing is changed`, t => {
    const storage = image()
    const error = t.throws(() => update(storage, changes), { code: 'INVALID', message })
    t.true(error.message.startsWith(`${PATH}: `))
    t.false(error.message.includes('\n'))
    t.deepEqual(storage.record, [])
    t.deepEqual(storage.leftOpen(), [])
  })
}

test('values that fit each other only together are given together', t => {
  const storage = image()
  update(storage, { prefetch_min_read_throughput: '1', prefetch_max_read_throughput: '1' })
  update(storage, { prefetch_max_read_throughput: '20', prefetch_min_read_throughput: '20' })
  t.like(headerOf(storage), { prefetch_min_read_throughput: 20, prefetch_max_read_throughput: 20 })
})

test('a contradiction that was there before does not keep other fields from changing', t => {
  const storage = image()
  poke(storage, 2196, 1)
  t.notThrows(() => update(storage, { copy_on_read: 'on' }))
})

test('fields about a base are refused where there is none', t => {
  const storage = makeFvd()
  t.throws(() => update(storage, { copy_on_read: 'on' }), { message: /copy_on_read is about a base image/ })
  t.throws(() => update(storage, { base_img: 'base.raw' }), { message: /base_img is about a base image/ })
  t.throws(() => update(storage, { storage_grow_unit: '1M' }), { message: /this one is flat/ })
})

test('the unit of a recorded profile stays until the profile is forgotten', t => {
  const storage = image({ profile_size: 4096 })
  poke(storage, 2160, 3, 0)
  const unit = { unit_of_PrefetchProfileEntry_len: '512' }
  t.throws(() => update(storage, { ...unit, prefetch_profile_entries: '0' }), { message: /3 entries/ })
  update(storage, { prefetch_profile_entries: '0' })
  t.notThrows(() => update(storage, unit))
})

// base_img and data_file

test('a base that was moved is found again under its new name', t => {
  const storage = image()
  const expected = basePattern(96 * KIB)
  storage.remove(BASE)
  storage.addFile('/archive/moved', expected)
  t.throws(() => TestDisk.open(PATH, { host: storage }), { code: 'NOT_FOUND' })
  for (const name of ['/archive/moved', '../archive/moved']) {
    update(storage, { base_img: name })
    const disk = TestDisk.open(PATH, { host: storage })
    t.deepEqual(disk.read(0, expected.length), expected)
    disk.close()
  }
})

test('a base that cannot be the one is refused, but for the unchecked update', t => {
  const storage = image()
  storage.addFile('/images/short', new Uint8Array(96 * KIB - 1))
  storage.addSpecial('/images/device', 'block')
  storage.addSpecial('/images/fifo', 'other')
  storage.link('/images/self', PATH)
  createImage('/images/circle', {
    format: 'qed',
    size: MIB,
    host: storage,
    backing: { name: 'disk.fvd', format: null },
    unsafeBacking: true,
  })
  storage.settle()
  const bases: [string, RegExp][] = [
    ['gone', /backing file 'gone' does not exist.*--unchecked/],
    ['short', /short has 98303 bytes, and the image was made on 98304/],
    ['device', /device' is a block device/],
    ['fifo', /FIFO/],
    ['self', /leads back to .*disk\.fvd/],
    ['circle', /leads back to .*disk\.fvd/],
    ['nbd://host/x', /not the name of a file/],
  ]
  for (const [name, message] of bases) {
    const error = t.throws(() => update(storage, { base_img: name, base_img_fmt: '' }), { message })
    t.false(error.message.includes('\n'))
    t.deepEqual(storage.record, [])
    t.deepEqual(storage.leftOpen(), [])
  }
  t.throws(() => update(storage, { base_img_fmt: 'vmdk' }), { code: 'FORMAT_UNKNOWN' })
  t.throws(() => update(storage, { base_img_fmt: 'qed' }), { code: 'CORRUPT' })
  update(storage, { base_img: 'gone', base_img_fmt: 'vmdk' }, { unchecked: true })
  t.like(headerOf(storage), { base_img: 'gone', base_img_fmt: 'vmdk' })
})

test('fields that lead nowhere change while the base is missing', t => {
  const storage = image()
  storage.remove(BASE)
  t.notThrows(() => update(storage, { copy_on_read: 'on' }))
})

test('a data file that was moved is found again, another one is refused', t => {
  const storage = makeFvd({ options: { compact_image: 'on', chunk_size: 4096, data_file: 'data' } })
  const disk = TestDisk.open(PATH, { host: storage, writable: true })
  disk.write(100_000, fill(5000, 4))
  disk.close()
  storage.addFile('/elsewhere/data', storage.contents('/images/data').clone())
  storage.addFile('/elsewhere/short', new Uint8Array(4096))
  storage.remove('/images/data')
  storage.settle()
  t.throws(() => update(storage, { data_file: 'gone' }), { message: /data file 'gone' does not exist/ })
  t.throws(() => update(storage, { data_file: '/elsewhere/short' }), { message: /storage of chunk/ })
  t.throws(() => update(storage, { data_file: 'disk.fvd' }), { message: /leads back/ })
  t.throws(() => update(storage, { data_file: '/elsewhere/data', data_file_fmt: 'qed' }), { code: 'CORRUPT' })
  t.deepEqual(storage.record, [])
  update(storage, { data_file: '/elsewhere/data' })
  const again = TestDisk.open(PATH, { host: storage })
  t.deepEqual(again.read(100_000, 5000), fill(5000, 4))
  again.close()
})

test('the data file of a flat image is as long as its disk', t => {
  const storage = makeFvd({ options: { data_file: 'data' } })
  storage.addFile('/images/short', new Uint8Array(512))
  t.throws(() => update(storage, { data_file: 'short' }), {
    message: /512 bytes, less than the disk's 1048576/,
  })
})

// clean_shutdown

/** Something is written, flushed, and its program killed. */
function crash(storage: SimulatedStorage): void {
  const disk = TestDisk.open(PATH, { host: storage, writable: true })
  disk.write(8192, fill(4096, 6))
  disk.flush()
  disk.drop()
}

test('clean_shutdown=1 is refused while the journal has changes, and check applies them', t => {
  const storage = image()
  crash(storage)
  t.throws(() => update(storage, { clean_shutdown: '1' }), {
    code: 'REFUSED',
    message: /throw away 2 changes that only the journal has; apply them with "rawmount check -r all"/,
  })
  t.is(headerOf(storage).clean_shutdown, 0)
  checkImage(PATH, { host: storage, repair: 'all' })
  t.is(headerOf(storage).clean_shutdown, 1)
  const disk = TestDisk.open(PATH, { host: storage })
  t.deepEqual(disk.read(8192, 4096), fill(4096, 6))
  disk.close()
})

test('clean_shutdown=1 is fine where the journal has nothing that is lost', t => {
  const storage = image()
  TestDisk.open(PATH, { host: storage, writable: true }).image.drop()
  t.is(headerOf(storage).clean_shutdown, 0)
  update(storage, { clean_shutdown: '1' })
  t.is(headerOf(storage).clean_shutdown, 1)
})

test('without a journal, clean_shutdown=1 accepts what a crash left', t => {
  const storage = image({ journal_size: 0 })
  crash(storage)
  t.throws(() => TestDisk.open(PATH, { host: storage, writable: true }), { message: /no journal/ })
  update(storage, { clean_shutdown: '1' })
  t.notThrows(() => TestDisk.open(PATH, { host: storage, writable: true }).close())
})

test('other fields change in an image that is to be recovered, and it still is', t => {
  const storage = image()
  crash(storage)
  update(storage, { copy_on_read: 'on', base_img: './base.raw' })
  const disk = TestDisk.open(PATH, { host: storage, writable: true })
  t.deepEqual(disk.read(8192, 4096), fill(4096, 6))
  disk.close()
})

// who may, and when

test('an image in use is refused, for changing and for listing', t => {
  const storage = image()
  const disk = TestDisk.open(PATH, { host: storage, writable: true })
  t.throws(() => update(storage, { copy_on_read: 'on' }), { code: 'IN_USE' })
  t.throws(() => updatableFields(PATH, { host: storage }), { code: 'IN_USE' })
  disk.close()
  const reader = TestDisk.open(PATH, { host: storage })
  t.throws(() => update(storage, { copy_on_read: 'on' }), { code: 'IN_USE' })
  reader.close()
})

test('formats without such fields say so', t => {
  const storage = new SimulatedStorage()
  createImage('/images/a.qed', { format: 'qed', size: MIB, host: storage })
  for (const call of [
    () => updateImage('/images/a.qed', new Map([['cluster_size', '4K']]), { host: storage }),
    () => updatableFields('/images/a.qed', { host: storage }),
  ]) {
    t.throws(call, { code: 'INVALID', message: /a\.qed: the format qed has no fields to change/ })
  }
})

test('a header that would not open is refused, a damaged one can be mended', t => {
  const storage = image()
  poke(storage, 28, 0)
  storage.settle()
  t.throws(() => update(storage, { copy_on_read: 'on' }), { code: 'CORRUPT', message: /base_img is empty/ })
  t.deepEqual(storage.record, [])
  update(storage, { base_img: 'base.raw' })
  t.notThrows(() => TestDisk.open(PATH, { host: storage }).close())
})

// power cuts

const LONG = (letter: string) =>
  `${letter.repeat(250)}/${letter.repeat(250)}/${letter.repeat(250)}/${letter.repeat(250)}`

const CUTS: [string, Record<string, string>, Record<string, string>][] = [
  ['a short name becomes another', { base_img: 'old' }, { base_img: 'new' }],
  ['a short name becomes long', { base_img: 'old' }, { base_img: LONG('n') }],
  ['a long name becomes another', { base_img: LONG('o') }, { base_img: LONG('n') }],
  ['a long name becomes short', { base_img: LONG('o') }, { base_img: 'new' }],
  [
    'a name and its format',
    { base_img: 'old', base_img_fmt: 'raw' },
    { base_img: 'new', base_img_fmt: 'qed' },
  ],
  [
    'a data file and its format',
    { data_file: 'old', data_file_fmt: 'raw' },
    { data_file: 'new', data_file_fmt: 'qed' },
  ],
  [
    'all names at once',
    {
      base_img: LONG('o'),
      base_img_fmt: 'qed',
      data_file: LONG('p'),
      data_file_fmt: '',
      add_storage_cmd: LONG('q'),
    },
    {
      base_img: LONG('n'),
      base_img_fmt: 'raw',
      data_file: LONG('m'),
      data_file_fmt: 'fvd',
      add_storage_cmd: 'rm',
    },
  ],
]

/** The state of one name with its format: as before, or as afterwards. */
const NAMES: (readonly (keyof RawHeader)[])[] = [
  ['base_img', 'base_img_fmt'],
  ['data_file', 'data_file_fmt'],
]

for (const [what, from, to] of CUTS) {
  test(`a power cut never leaves half of it: ${what}`, t => {
    const random = seeded(t)
    const storage = image({ data_file: 'data' })
    update(storage, from, { unchecked: true })
    storage.settle()
    const before = headerOf(storage)
    update(storage, to, { unchecked: true })
    const after = headerOf(storage)
    t.like(after, to)
    const states = new CrashStates(storage)
    do {
      const choices = [
        ...systematicChoices(states.pending),
        ...singleChoices(states.pending),
        ...Array.from({ length: 20 }, () => randomChoice(random, states.pending)),
      ]
      for (const choice of choices) {
        const cut = states.build(choice)
        const found = headerOf(cut)
        for (const names of NAMES) {
          const isOne = (header: RawHeader) => names.every(field => found[field] === header[field])
          t.true(isOne(before) || isOne(after), choice.name)
        }
        t.true([before.add_storage_cmd, after.add_storage_cmd].includes(found.add_storage_cmd))
        t.notThrows(() => update(cut, to, { unchecked: true }))
        t.deepEqual(headerOf(cut), after)
      }
    } while (states.advance())
  })
}

test('names that take several sectors need free ones behind the header', t => {
  const storage = image()
  // Where a bitmap may lie, by the format.
  storage.contents(PATH).write(4608, fill(512, 0xff))
  poke(storage, 1076, 4608)
  poke(storage, 1084, 512)
  storage.settle()
  const long = { base_img: LONG('n') }
  const message = /no free sectors behind its header.*rawmount convert/
  t.throws(() => update(storage, long, { unchecked: true }), { code: 'INVALID', message })
  t.throws(() => renameBase(PATH, { name: LONG('n'), format: 'raw' }, { host: storage }), {
    code: 'INVALID',
    message,
  })
  t.deepEqual(storage.record, [])
  renameBase(PATH, { name: './base.raw', format: 'raw' }, { host: storage })
  TestDisk.open(PATH, { host: storage, writable: true }).close()
})

test('an image that an older program left without a name does not open, and the message has the way out', t => {
  const storage = image({ data_file: 'data' })
  update(storage, { data_file: INTERRUPTED }, { unchecked: true })
  const opens = () => TestDisk.open(PATH, { host: storage }).close()
  t.throws(opens, {
    code: 'REFUSED',
    message: new RegExp(
      `stopped in the middle.*"rawmount update ${PATH} data_file=NAME data_file_fmt=FORMAT"`,
    ),
  })
  update(storage, { data_file: 'data', base_img: INTERRUPTED }, { unchecked: true })
  t.throws(opens, {
    code: 'REFUSED',
    message: new RegExp(`stopped in the middle.*"rawmount rebase -u -b NAME -F FORMAT ${PATH}"`),
  })
  renameBase(PATH, { name: 'base.raw', format: 'raw' }, { host: storage })
  t.notThrows(opens)
})
