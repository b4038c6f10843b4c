import test from 'ava'
import { DEFAULT_COPY_SETTINGS } from '../../../src/formats/copy-settings.js'
import type { OpenedImage } from '../../../src/formats/format.js'
import { open } from '../../../src/formats/fvd/open.js'
import type { SimulatedStorage } from '../../support/simulated-storage.js'
import { makeFvd, PATH, poke, story } from './images.js'

const KIB = 1024
const BASE_SIZE = 96 * KIB

/** Header fields by their place, as the format's page has them. */
const Field = {
  copyOnRead: 1096,
  outstanding: 1100,
  prefetchDelay: 2148,
  slots: 2168,
  pieceBytes: 2172,
  readMeasureTime: 2176,
  writeMeasureTime: 2180,
  averageWeight: 2184,
  leastReadRate: 2188,
  leastWriteRate: 2192,
  mostReadRate: 2196,
  mostWriteRate: 2200,
  profileDelay: 4316,
  writeBase: 4320,
} as const

function openIt(storage: SimulatedStorage, writable = false): OpenedImage {
  const file = storage.open(PATH, writable)
  try {
    return open(file, {
      writable,
      metadataCache: 1 << 20,
      allowStorageCommand: false,
      companion() {
        throw new TypeError('no data file')
      },
    })
  } finally {
    file.close()
  }
}

function based(options: Record<string, string | number> = {}): SimulatedStorage {
  return makeFvd({ baseSize: BASE_SIZE, options })
}

test('a new image on a base asks for nothing, and has the defaults', t => {
  const { copySettings, warnings, prefetchFault, copyOnReadFault } = openIt(based())
  const high = 1_000_000_000 * KIB
  t.deepEqual(copySettings, { ...DEFAULT_COPY_SETTINGS, mostReadRate: high, mostWriteRate: high })
  t.deepEqual([warnings, prefetchFault, copyOnReadFault], [[], null, null])
})

test('every field of the header has its place in the settings', t => {
  const { copySettings, warnings } = openIt(
    based({
      block_size: 4096,
      copy_on_read: 'on',
      max_outstanding_copy_on_read_data: '3M',
      prefetch_start_delay: 7,
      num_prefetch_slots: 5,
      bytes_per_prefetch: '64K',
      prefetch_read_throughput_measure_time: 11,
      prefetch_write_throughput_measure_time: 12,
      prefetch_perf_calc_alpha: 13,
      prefetch_min_read_throughput: 14,
      prefetch_min_write_throughput: 15,
      prefetch_max_read_throughput: 16,
      prefetch_max_write_throughput: 17,
      prefetch_throttle_time: 18,
      generate_prefetch_profile: 'on',
      profile_directed_prefetch_start_delay: 19,
      write_updates_base_img: 'writeback',
    }),
  )
  t.deepEqual(warnings, [])
  t.deepEqual(copySettings, {
    copyOnRead: true,
    outstanding: 3 * KIB * KIB,
    prefetchDelay: 7,
    slots: 5,
    pieceBytes: 64 * KIB,
    readMeasureTime: 11,
    writeMeasureTime: 12,
    averageWeight: 13,
    leastReadRate: 14 * KIB,
    leastWriteRate: 15 * KIB,
    mostReadRate: 16 * KIB,
    mostWriteRate: 17 * KIB,
    pauseTime: 18,
    recordProfile: true,
    profileDelay: 19,
    writeBase: 'writeback',
  })
})

test('a delay of 0 or less is off', t => {
  for (const delay of [0, -1, -1000]) {
    const options = { prefetch_start_delay: delay, profile_directed_prefetch_start_delay: delay }
    t.like(openIt(based(options)).copySettings, { prefetchDelay: null, profileDelay: null })
  }
})

test('an image without a base has no such settings', t => {
  t.is(openIt(makeFvd()).copySettings, undefined)
})

const FAULTS: [string, number, number, RegExp][] = [
  [
    'no slots',
    Field.slots,
    0,
    /num_prefetch_slots is 0, .*"rawmount update \/images\/disk\.fvd num_pref.*=2"/,
  ],
  ['a million slots', Field.slots, 1_000_000, /num_prefetch_slots is 1000000, more than 1024/],
  ['pieces of 0 bytes', Field.pieceBytes, 0, /bytes_per_prefetch is 0, .*bytes_per_prefetch=1M/],
  [
    'pieces that cut a block',
    Field.pieceBytes,
    5000,
    /5000, not a multiple of the block_size of 4096; take 8192 \(rawm/,
  ],
  ['pieces that fill the memory', Field.pieceBytes, 2 ** 30, /take 2147483648 bytes of memory/],
  ['a measure time of 0', Field.readMeasureTime, 0, /prefetch_read_throughput_measure_time is 0/],
  [
    'a measure time of 0 for writing',
    Field.writeMeasureTime,
    0,
    /prefetch_write_throughput_measure_time is 0/,
  ],
  ['more than 100 percent', Field.averageWeight, 101, /alpha is 101, more than 100 percent.*alpha=80/],
  ['a maximum of 0', Field.mostReadRate, 0, /prefetch_max_read_throughput is 0/],
  ['a maximum of 0 for writing', Field.mostWriteRate, 0, /prefetch_max_write_throughput is 0/],
  [
    'a maximum below the minimum',
    Field.mostReadRate,
    5000,
    /max_read_throughput is 5000, less than .* of 5120/,
  ],
  ['the same for writing', Field.mostWriteRate, 5000, /max_write_throughput is 5000, less than .* of 5120/],
]

for (const [what, field, value, says] of FAULTS) {
  test(`${what}: prefetching is refused with the fault and the next step, and the image opens`, t => {
    const storage = based({
      block_size: 4096,
      prefetch_start_delay: 5,
      profile_directed_prefetch_start_delay: 6,
    })
    poke(storage, field, value)
    const { copySettings, warnings, prefetchFault } = openIt(storage, true)
    t.like(copySettings, { prefetchDelay: null, profileDelay: null })
    t.regex(prefetchFault!, says)
    t.regex(prefetchFault!, /^\/images\/disk\.fvd: .*rawmount update \/images\/disk\.fvd/)
    t.false(prefetchFault!.includes('\n'))
    t.deepEqual(warnings, [prefetchFault!])
  })
}

test('a fault that nobody asks about is no warning', t => {
  const storage = based()
  poke(storage, Field.slots, 0)
  poke(storage, Field.outstanding, 0, 0)
  const { warnings, prefetchFault, copyOnReadFault } = openIt(storage, true)
  t.deepEqual(warnings, [])
  t.regex(prefetchFault!, /num_prefetch_slots/)
  t.regex(copyOnReadFault!, /max_outstanding_copy_on_read_data is 0/)
})

test('either delay alone makes a fault a warning, unless the image is only read, so that nothing is fetched anyway', t => {
  for (const option of ['prefetch_start_delay', 'profile_directed_prefetch_start_delay']) {
    const storage = based({ [option]: 1 })
    poke(storage, Field.slots, 0)
    t.is(openIt(storage, true).warnings!.length, 1)
    t.deepEqual(openIt(storage).warnings, [])
  }
})

const OUTSTANDING: [number, number, RegExp][] = [
  [0, 0, /is 0, less than one block of 4096, .*max_outstanding_copy_on_read_data=2000000"/],
  [4095, 0, /is 4095, less than one block/],
  [0, 1, /is 4294967296, more than the 1073741824 that may be held in memory/],
]

for (const [low, high, says] of OUTSTANDING) {
  test(`copy-on-read with ${high * 2 ** 32 + low} bytes of memory is refused, and the image opens`, t => {
    const storage = based({ block_size: 4096, copy_on_read: 'on' })
    poke(storage, Field.outstanding, low, high)
    const { copySettings, copyOnReadFault, warnings } = openIt(storage, true)
    t.false(copySettings!.copyOnRead)
    t.regex(copyOnReadFault!, says)
    t.deepEqual(warnings, [copyOnReadFault!])
  })
}

for (const [text, mode] of [
  ['', 'no'],
  ['no', 'no'],
  ['writethrough', 'writethrough'],
  ['writeback', 'writeback'],
] as const) {
  test(`write_updates_base_img "${text}" means ${mode}`, t => {
    const { copySettings, warnings } = openIt(based({ write_updates_base_img: text }), true)
    t.is(copySettings!.writeBase, mode)
    t.deepEqual(warnings, [])
  })
}

/** As the reference could make it, and create does not. */
function withUnknownMode(): SimulatedStorage {
  const storage = based()
  const text = Buffer.from('writenocache')
  for (let at = 0; at < text.length; at += 4) poke(storage, Field.writeBase + at, text.readUInt32LE(at))
  return storage
}

test('an unknown way of writing to the base is refused for writing only, and changes nothing', t => {
  const storage = withUnknownMode()
  const error = t.throws(() => openIt(storage, true), { code: 'FORMAT_UNSUPPORTED' })
  t.is(
    error.message,
    '/images/disk.fvd: write_updates_base_img is "writenocache", and how writes are to change the base then is not known here; say how with "rawmount update /images/disk.fvd write_updates_base_img=no" (or =writethrough, =writeback), or open it read-only',
  )
  t.deepEqual(story(storage), [])
  t.is(openIt(storage).copySettings!.writeBase, 'no')
  poke(storage, Field.writeBase, 0x41424344)
  t.throws(() => openIt(storage, true), { message: /is "DCBAenocache"/ })
})

test('once all is in the image, it does not matter how the base would be written', t => {
  const storage = withUnknownMode()
  poke(storage, 8, 1)
  t.notThrows(() => openIt(storage, true))
})
