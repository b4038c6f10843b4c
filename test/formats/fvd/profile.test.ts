import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { readHeader } from '../../../src/formats/fvd/header.js'
import { profileOf } from '../../../src/formats/fvd/profile.js'
import type { ProfileEntry, ProfileStore } from '../../../src/formats/profile.js'
import { IoBuffer } from '../../../src/libc/io-buffer.js'
import type { StorageFile } from '../../../src/storage/storage-file.js'
import { CrashStates, randomChoice, singleChoices, systematicChoices } from '../../support/crash-states.js'
import { holds } from '../../support/properties.js'
import { Random, seeded } from '../../support/random.js'
import type { SimulatedStorage } from '../../support/simulated-storage.js'
import { At, header64, makeFvd, openFvd, PATH, poke, story } from './images.js'

const KIB = 1024
const BASE_SIZE = 96 * KIB + 512
const UNIT = 4096

const Field = { offset: 2152, entries: 2160, unit: 4312 } as const

function image(options: Record<string, string | number> = {}): SimulatedStorage {
  return makeFvd({
    baseSize: BASE_SIZE,
    options: {
      compact_image: 'on',
      chunk_size: 4096,
      storage_grow_unit: 4096,
      journal_size: 8192,
      profile_size: 8192,
      ...options,
    },
  })
}

/** Calls `use` with the profile as a new open of the image has it. */
function withProfile<T>(
  storage: SimulatedStorage,
  use: (profile: ProfileStore, file: StorageFile) => T,
  writable = true,
): T {
  const file = storage.open(PATH, writable)
  try {
    return use(profileOf(file, readHeader(file))!, file)
  } finally {
    file.close()
  }
}

function read(storage: SimulatedStorage): readonly ProfileEntry[] {
  return withProfile(storage, profile => profile.read(), false)
}

function write(storage: SimulatedStorage, entries: readonly ProfileEntry[]): void {
  withProfile(storage, profile => profile.write(entries))
}

const SOME: readonly ProfileEntry[] = [
  { offset: 8 * KIB, length: 4 * KIB },
  { offset: 0, length: 8 * KIB },
  { offset: 64 * KIB, length: 16 * KIB },
]

test('an image without an area for a profile has none', t => {
  const storage = makeFvd({ baseSize: BASE_SIZE })
  withProfile(storage, profile => t.is(profile as unknown, undefined))
})

test('an empty area is an empty profile with room for as many entries as fit', t => {
  const storage = image()
  t.deepEqual(read(storage), [])
  t.is(
    withProfile(storage, profile => profile.capacity),
    Math.floor(8192 / 12),
  )
})

test('what is written is read again, at once and after another open', t => {
  const storage = image()
  withProfile(storage, profile => {
    profile.write(SOME)
    t.deepEqual(profile.read(), SOME)
  })
  t.deepEqual(read(storage), SOME)
  write(storage, SOME.slice(1))
  t.deepEqual(read(storage), SOME.slice(1))
  write(storage, [])
  t.deepEqual(read(storage), [])
})

test('an entry is an offset in bytes and a length in units, packed', t => {
  const storage = image()
  write(storage, [
    { offset: 512, length: 1 },
    { offset: 4096, length: 4097 },
  ])
  const bytes = storage.contents(PATH).bytes(header64(storage, Field.offset), 24)
  t.deepEqual(
    [...bytes],
    [
      [0, 2, 0, 0, 0, 0, 0, 0],
      [1, 0, 0, 0],
      [0, 16, 0, 0, 0, 0, 0, 0],
      [2, 0, 0, 0],
    ].flat(),
  )
  t.deepEqual(read(storage), [
    { offset: 512, length: 4096 },
    { offset: 4096, length: 8192 },
  ])
})

test('the unit that the end of the base cuts is read as far as the base goes', t => {
  const storage = image()
  const last = { offset: 92 * KIB, length: 4 * KIB + 512 }
  write(storage, [last])
  t.deepEqual(read(storage), [last])
})

test('the header counts the entries only while they are durable', t => {
  const storage = image()
  storage.forget()
  write(storage, SOME)
  const area = header64(storage, Field.offset)
  t.deepEqual(story(storage), [
    `write ${Field.entries}+8`,
    'sync',
    `write ${area}+36`,
    'sync',
    `write ${Field.entries}+8`,
    'sync',
  ])
})

test('what there is no room for is left out, from the end', t => {
  const storage = image({ profile_size: 4096 })
  const many = Array.from({ length: 500 }, (_, n) => ({ offset: (n % 24) * UNIT, length: UNIT }))
  write(storage, many)
  t.deepEqual(read(storage), many.slice(0, 341))
})

test('a range of more units than an entry can count becomes several entries', t => {
  const size = 2 ** 42
  const storage = makeFvd({
    size,
    baseSize: BASE_SIZE,
    options: { profile_size: 4096, unit_of_PrefetchProfileEntry_len: 512, block_size: '64M' },
  })
  // All is in the image, so that it needs no bitmap of that size.
  poke(storage, 8, 1)
  poke(storage, 1068, 0, 2 ** 10)
  write(storage, [{ offset: 4096, length: 2 ** 41 }])
  t.deepEqual(read(storage), [
    { offset: 4096, length: (2 ** 32 - 1) * 512 },
    { offset: 4096 + (2 ** 32 - 1) * 512, length: 512 },
  ])
})

test('the area ends where the next one begins', t => {
  const storage = image()
  const [profile, journal] = [header64(storage, Field.offset), header64(storage, At.journalOffset)]
  // Journal and profile change places.
  poke(storage, Field.offset, journal)
  poke(storage, At.journalOffset, journal + 4096)
  t.is(
    withProfile(storage, ({ capacity }) => capacity),
    341,
  )
  t.is(profile, journal + 8192)
})

// Damage

const entryOf = (storage: SimulatedStorage, ...words: number[]): void =>
  poke(storage, header64(storage, Field.offset), ...words)

const DAMAGE: [string, (storage: SimulatedStorage) => void, RegExp][] = [
  ['a unit of 0', storage => poke(storage, Field.unit, 0), /has lengths in units of 0 bytes/],
  [
    'a place that is not on a page',
    storage => poke(storage, Field.offset, header64(storage, Field.offset) + 512),
    /is at \d+, not a multiple of 4096/,
  ],
  [
    'a place behind the end',
    storage => poke(storage, Field.offset, 0, 1),
    /ends at 4294967332, behind the end/,
  ],
  [
    'too many entries',
    storage => poke(storage, Field.entries, 683),
    /ends at \d+, behind the end of its place/,
  ],
  [
    'more entries than there are numbers',
    storage => poke(storage, Field.entries, 0, 2 ** 20),
    /behind the end of its place/,
  ],
  [
    'a place in the table',
    storage => poke(storage, Field.offset, header64(storage, At.tableOffset)),
    /overlaps the table at/,
  ],
  [
    'a place in the bitmap',
    storage => poke(storage, Field.offset, header64(storage, At.bitmapOffset)),
    /overlaps the bitmap at/,
  ],
  [
    'a place in the journal',
    storage => poke(storage, Field.offset, header64(storage, At.journalOffset)),
    /overlaps the journal at/,
  ],
  ['a place in the header', storage => poke(storage, Field.offset, 4096), /overlaps the header at 0/],
]

for (const [what, inflict, says] of DAMAGE) {
  test(`${what}: the profile is refused with a text, and the image opens`, t => {
    const storage = image()
    write(storage, SOME)
    inflict(storage)
    refused(t, storage, says)
    t.notThrows(() => openFvd(storage).close())
  })
}

const ENTRIES: [string, number[], RegExp][] = [
  [
    'an offset behind the base',
    [BASE_SIZE, 0, 1],
    /names 4096 bytes at 98816 in entry 0, and the base has 98816/,
  ],
  ['a negative offset', [0xfffff000, 0xffffffff, 1], /in entry 0, and the base has 98816 bytes/],
  ['a length of 0', [0, 0, 0], /names 0 bytes at 0 in entry 0/],
  ['a range that ends a unit behind the base', [94208, 0, 3], /names 12288 bytes at 94208/],
  ['a length of 2^32 units', [0, 0, 0xffffffff], /names 17592186040320 bytes at 0/],
]

for (const [what, words, says] of ENTRIES) {
  test(`${what}: the profile is refused`, t => {
    const storage = image()
    write(storage, SOME)
    entryOf(storage, ...words)
    refused(t, storage, says)
  })
}

function refused(t: ExecutionContext, storage: SimulatedStorage, says: RegExp): void {
  const error = t.throws(() => read(storage), { code: 'CORRUPT', message: says })
  t.regex(
    error.message,
    /^\/images\/disk\.fvd: the prefetch profile .*; forget it with "rawmount update \/images\/disk\.fvd prefetch_profile_entries=0"$/,
  )
}

test('a profile that is damaged can be written anew, one without a place cannot', t => {
  const storage = image()
  write(storage, SOME)
  entryOf(storage, 0, 0, 0)
  write(storage, SOME)
  t.deepEqual(read(storage), SOME)
  poke(storage, Field.offset, header64(storage, At.tableOffset))
  storage.forget()
  t.is(
    withProfile(storage, ({ capacity }) => capacity),
    0,
  )
  t.throws(() => write(storage, SOME), { code: 'CORRUPT', message: /overlaps the table.*profile_size/ })
  t.deepEqual(story(storage), [])
})

test('more entries than anybody needs are not read to memory', t => {
  const storage = image({ profile_size: '13M' })
  poke(storage, Field.entries, 2 ** 20 + 1)
  t.throws(() => read(storage), { code: 'FORMAT_UNSUPPORTED', message: /has 1048577 entries, and at most/ })
})

test('a profile of an image that is open for reading only is not written', t => {
  const storage = image()
  t.throws(() => withProfile(storage, profile => profile.write(SOME), false), { code: 'READ_ONLY' })
})

test('ranges that cannot be of the base are misuse', t => {
  const storage = image()
  for (const entry of [
    { offset: BASE_SIZE, length: 1 },
    { offset: -1, length: 1 },
    { offset: 0, length: 0 },
    { offset: 0.5, length: 1 },
    { offset: 0, length: Number.NaN },
  ]) {
    t.throws(() => write(storage, [SOME[0]!, entry]), { instanceOf: RangeError })
    t.deepEqual(read(storage), [])
  }
})

test('whatever stands in the area and in the header, a profile lies in the base or is refused', t => {
  const storage = image()
  const size = storage.contents(PATH).size
  const words = fc.array(fc.oneof(fc.nat(30), fc.nat(2 ** 32 - 1)), { maxLength: 12 })
  const field = fc.oneof(fc.nat(40), fc.nat(size), fc.nat(2 ** 32 - 1))
  holds(
    t,
    fc.property(words, field, field, fc.nat(3), (entries, offset, count, unit) => {
      const file = storage.open(PATH, true)
      try {
        const header = readHeader(file)
        const raw = {
          ...header.raw,
          prefetch_profile_entries: count,
          unit_of_PrefetchProfileEntry_len: unit * 512,
          ...(offset % 2 === 0 && { prefetch_profile_offset: offset }),
        }
        const buffer = new IoBuffer(48)
        for (const [n, word] of entries.entries()) buffer.view.setUint32(n * 4, word, true)
        file.write(buffer, 0, 48, header.raw.prefetch_profile_offset)
        const profile = profileOf(file, { ...header, raw })
        const read = profile === undefined ? [] : profile.read()
        return read.every(one => one.offset >= 0 && one.length > 0 && one.offset + one.length <= BASE_SIZE)
      } catch (error) {
        return (error as { code?: string }).code === 'CORRUPT'
      } finally {
        file.close()
      }
    }),
  )
})

// Power cuts

const OLD = Array.from({ length: 200 }, (_, n) => ({ offset: (n % 24) * UNIT, length: UNIT }))
const NEW = Array.from({ length: 150 }, (_, n) => ({
  offset: (23 - (n % 24)) * UNIT,
  length: 2 * UNIT,
})).filter(({ offset, length }) => offset + length <= BASE_SIZE)

/** Cuts the power at every point of a new profile's writing; what the first wrong state shows, or null. */
function cutPower(random: Random, ignoredBarrier = -1): string | null {
  const storage = image()
  write(storage, OLD)
  storage.settle()
  let barriers = 0
  storage.interfere = ({ kind }) => (kind === 'sync' && barriers++ === ignoredBarrier ? 'ignore' : 'proceed')
  write(storage, NEW)
  const points = new CrashStates(storage)
  const right = [OLD, NEW, []].map(entries => JSON.stringify(entries))
  do {
    const { pending } = points
    const choices = [...systematicChoices(pending), ...singleChoices(pending)]
    if (pending.length > 0) for (let n = 0; n < 40; n++) choices.push(randomChoice(random, pending))
    for (const choice of choices) {
      const found = JSON.stringify(read(points.build(choice)))
      if (!right.includes(found)) return `change ${points.position}, ${choice.name}: ${found}`
    }
  } while (points.advance())
  return read(storage).length === NEW.length ? null : 'the new profile is not there in the end'
}

test('a power cut leaves the old profile, the new one, or none', t => {
  t.is(cutPower(seeded(t)), null)
})

for (const barrier of [0, 1]) {
  test(`without barrier ${barrier} a power cut leaves a mixture, which these tests see`, t => {
    t.not(cutPower(new Random(1), barrier), null)
  })
}

test('the profile is durable when the writing is done', t => {
  const storage = image()
  storage.settle()
  write(storage, NEW)
  const points = new CrashStates(storage)
  while (points.advance());
  t.deepEqual(points.pending, [])
})
