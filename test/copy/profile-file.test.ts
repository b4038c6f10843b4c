import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import fc from 'fast-check'
import { parseProfile, profileFileOf, writeProfileFile } from '../../src/copy/profile-file.js'
import { loadProfile } from '../../src/copy/profile-source.js'
import { createImage } from '../../src/disk/create.js'
import { fvd } from '../../src/formats/fvd/index.js'
import { systemHost } from '../../src/storage/system-host.js'
import { scratch } from '../support/mounting.js'
import { holds } from '../support/properties.js'

const SOME = [
  { offset: 1048576, length: 65536 },
  { offset: 0, length: 4096 },
  { offset: 2 ** 52, length: 512 },
]
const SOME_TEXT = 'rawmount-profile 1\n1048576 65536\n0 4096\n4503599627370496 512\n'

test('a profile file is a line of what it is, then offset and length of each range', async t => {
  const { path: directory } = await scratch(t)
  const path = profileFileOf(join(directory, 'disk.qed'))
  t.is(path, join(directory, 'disk.qed.profile'))
  writeProfileFile(path, SOME)
  t.is(readFileSync(path, 'latin1'), SOME_TEXT)
  t.deepEqual(loadProfile(path), SOME)
  writeProfileFile(path, [])
  t.deepEqual(loadProfile(path), [])
  t.deepEqual(readdirSync(directory), ['disk.qed.profile'])
})

test('a profile that cannot be written leaves the old one, and nothing else', async t => {
  const { path: directory } = await scratch(t)
  const path = join(directory, 'a.profile')
  mkdirSync(join(path, 'in the way'), { recursive: true })
  const error = t.throws(() => writeProfileFile(path, SOME), { code: 'IO' })
  t.regex(error.message, /a\.profile: the profile cannot be written: .*; make room there, or take another/)
  t.deepEqual(readdirSync(directory), ['a.profile'])
  t.throws(() => writeProfileFile(join(directory, 'gone/a.profile'), SOME), { code: 'IO', message: /ENOENT/ })
})

const DAMAGE: [string, string, RegExp][] = [
  [
    'another version',
    'rawmount-profile 2\n',
    /begins with "rawmount-profile 2", not with "rawmount-profile 1"/,
  ],
  ['a last line that is cut off', SOME_TEXT.slice(0, -1), /is cut off in its last line/],
  ['a first line that is cut off', 'rawmount-profile 1', /is cut off/],
  ['an empty line', 'rawmount-profile 1\n0 1\n\n', /line 3 is "", not an offset and a length in bytes/],
  ['a negative offset', 'rawmount-profile 1\n-1 5\n', /line 2 is "-1 5"/],
  ['a length of 0', 'rawmount-profile 1\n1 0\n', /line 2/],
  ['a fraction', 'rawmount-profile 1\n1.5 1\n', /line 2/],
  ['three numbers', 'rawmount-profile 1\n1 1 1\n', /line 2/],
  ['one number', 'rawmount-profile 1\n1\n', /line 2/],
  ['a hexadecimal number', 'rawmount-profile 1\n0x10 1\n', /line 2/],
  ['more than 2^53', 'rawmount-profile 1\n9007199254740991 1\n', /line 2/],
  ['a return', 'rawmount-profile 1\n0 1\r\n', /line 2 is "0 1\\r"/],
  ['something long', `rawmount-profile 1\n${'x'.repeat(1000)}\n`, /line 2 is "x{40}", not/],
]

for (const [what, text, says] of DAMAGE) {
  test(`${what}: the profile file is refused with the line and the next step`, t => {
    const error = t.throws(() => parseProfile('/p', text), { message: says })
    t.regex(error.message, /^\/p: .*; record it anew with --record-profile$/)
    t.false(error.message.includes('\n'))
  })
}

test('a file with more entries than anybody needs is refused', t => {
  const text = `rawmount-profile 1\n${'0 1\n'.repeat(2 ** 20 + 1)}`
  t.throws(() => parseProfile('/p', text), { code: 'CORRUPT', message: /more than 1048576 entries/ })
})

test('a file longer than a profile can be is refused without being read', async t => {
  const { path: directory } = await scratch(t)
  const path = join(directory, 'a.profile')
  writeFileSync(path, SOME_TEXT.padEnd(40 << 20))
  t.throws(() => loadProfile(path), { code: 'CORRUPT', message: /a\.profile: is longer than a profile/ })
})

test('whatever is written is read again', async t => {
  const { path: directory } = await scratch(t)
  const path = join(directory, 'a.profile')
  const entry = fc.record({ offset: fc.nat(2 ** 31 - 1), length: fc.integer({ min: 1, max: 2 ** 31 - 1 }) })
  const text = (entries: { offset: number; length: number }[]) =>
    `rawmount-profile 1\n${entries.map(({ offset, length }) => `${offset} ${length}\n`).join('')}`
  holds(
    t,
    fc.property(fc.array(entry), entries => {
      return JSON.stringify(parseProfile(path, text(entries))) === JSON.stringify(entries)
    }),
  )
  writeProfileFile(path, [{ offset: 7, length: 8 }])
  t.is(readFileSync(path, 'latin1'), text([{ offset: 7, length: 8 }]))
})

test('whatever a file says after its first line, it is a profile or refused', t => {
  holds(
    t,
    fc.property(fc.string({ unit: fc.constantFrom(...'0123456789 \n-.x') }), text => {
      try {
        const entries = parseProfile('/p', `rawmount-profile 1\n${text}`)
        return entries.every(({ offset, length }) => offset >= 0 && length > 0)
      } catch (error) {
        return (error as { code?: string }).code === 'CORRUPT'
      }
    }),
  )
})

/** An image with room for a profile on a base of 1 MiB. */
function makeImage(directory: string, format: 'fvd' | 'qed'): string {
  const base = join(directory, 'base.raw')
  const path = join(directory, `disk.${format}`)
  writeFileSync(base, Buffer.alloc(1 << 20))
  createImage(path, {
    format,
    size: 1 << 20,
    backing: { name: 'base.raw', format: 'raw' },
    options: new Map(format === 'fvd' ? [['profile_size', '4096']] : []),
  })
  return path
}

test('a profile is loaded from the image in which it was recorded, and no file is taken for what it is not', async t => {
  const { path: directory } = await scratch(t)
  const path = makeImage(directory, 'fvd')
  t.throws(() => loadProfile(path), {
    code: 'NOT_FOUND',
    message: /disk\.fvd: the image has no profile recorded in it; record one with --record-profile/,
  })
  const file = systemHost.open(path, true)
  fvd.profile(file)!.write([{ offset: 8192, length: 4096 }])
  // Whoever has it open for writing may be writing its profile.
  systemHost.lock(file)
  t.throws(() => loadProfile(path), { code: 'IN_USE' })
  file.close()
  t.deepEqual(loadProfile(path), [{ offset: 8192, length: 4096 }])
  // By its contents, whatever its name.
  symlinkSync(path, join(directory, 'a.profile'))
  t.deepEqual(loadProfile(join(directory, 'a.profile')), [{ offset: 8192, length: 4096 }])
})

test('what has no profile is refused with the next step', async t => {
  const { path: directory } = await scratch(t)
  t.throws(() => loadProfile(makeImage(directory, 'qed')), {
    code: 'NOT_FOUND',
    message: /disk\.qed: the image has no profile .*profile file beside it/,
  })
  for (const contents of ['', 'rawmount', '\0'.repeat(5000)]) {
    writeFileSync(join(directory, 'other'), contents)
    t.throws(() => loadProfile(join(directory, 'other')), {
      code: 'FORMAT_UNKNOWN',
      message: /other: is neither a profile nor an image with one/,
    })
  }
  t.throws(() => loadProfile(join(directory, 'gone')), { code: 'NOT_FOUND', message: /gone/ })
  t.throws(() => loadProfile(directory), { code: 'REFUSED', message: /directory/ })
})

test('a profile of another base is refused', async t => {
  const { path: directory } = await scratch(t)
  const path = join(directory, 'a.profile')
  writeProfileFile(path, [
    { offset: 0, length: 4096 },
    { offset: 4096, length: 4097 },
  ])
  t.is(loadProfile(path, 8193).length, 2)
  t.throws(() => loadProfile(path, 8192), {
    code: 'INVALID',
    message: /a\.profile: the profile names 4097 bytes at 4096, and the base has 8192; it is of another base/,
  })
})
