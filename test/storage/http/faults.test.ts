import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import ava, { type ExecutionContext } from 'ava'
import { ImageError } from '../../../src/errors.js'
import { errnoName } from '../../../src/libc/errno.js'
import { IoBuffer } from '../../../src/libc/io-buffer.js'
import type { StorageFile } from '../../../src/storage/storage-file.js'
import { systemHost } from '../../../src/storage/system-host.js'
import { type FaultyServer, faultyServer } from '../../support/http-servers.js'
import { Scratch } from '../../support/mounting.js'
import { pattern } from '../../support/pattern.js'

// Each sleeps in its reads: side by side they would wait for each other, and their limits run out.
const test = ava.serial

/** What a bad server does to a reader: faults that may pass are waited out, all others end as errors that say what to do. */
const SIZE = 3 * (1 << 20) + 123
const BEHIND_HEAD = 100_000

let work: Scratch
let server: FaultyServer
test.before(async () => {
  process.env.RAWMOUNT_HTTP_TIMEOUT = '1.5'
  work = new Scratch(await mkdtemp(join(tmpdir(), 'rawmount-')))
  server = await faultyServer(work)
})
test.after.always(async () => {
  await server.kill()
  await work.clean()
})

function opened(t: ExecutionContext, name: string): { url: string; file: StorageFile } {
  const url = server.url(name)
  const file = systemHost.open(url, false)
  t.teardown(() => file.close())
  return { url, file }
}

function readsRight(t: ExecutionContext, file: StorageFile, offset: number, length: number): void {
  const buffer = new IoBuffer(length)
  const count = Math.min(length, SIZE - offset)
  t.is(file.read(buffer, 0, length, offset), count)
  t.deepEqual(Buffer.compare(buffer.bytes.subarray(0, count), pattern(offset, count, 1, 1)), 0)
}

function complaintOf(act: () => void): ImageError {
  try {
    act()
  } catch (error) {
    if (error instanceof ImageError) return error
    throw error
  }
  throw new Error('did not fail')
}

const read = (file: StorageFile) => () => {
  file.read(new IoBuffer(500_000), 0, 500_000, BEHIND_HEAD)
}

test('a file is read at any offset and length, and ends where it ends', async t => {
  const { url, file } = opened(t, 'good')
  t.is(file.size(), SIZE)
  for (const [offset, length] of [
    [0, 512],
    [65_000, 1000],
    [0, SIZE + 100],
    [SIZE - 100, 4096],
    [BEHIND_HEAD, 1 << 20],
  ] as const)
    readsRight(t, file, offset, length)
  t.is(file.read(new IoBuffer(10), 0, 10, SIZE + 5), 0)
  t.is(file.stretch(5, false), SIZE)
  t.is(file.stretch(5, true), 5)
  t.throws(() => (file as unknown as { write(): void }).write(), { message: /read-only file system/ })
  const seen = await server.seen(url)
  // The head came with the open, and is not asked for again; what is longer than a piece comes in pieces.
  t.deepEqual(
    seen.slice(0, 2).map(({ range }) => range),
    ['0-65535', '65536-65999'],
  )
  t.deepEqual(
    seen
      .slice(2, 5)
      .map(({ range }) => range)
      .sort(),
    ['1114112-2162687', '2162688-3145850', '65536-1114111'],
  )
  t.is(new Set(seen.slice(2, 5).map(({ connection }) => connection)).size, 3)
  t.true(seen.slice(1).every(({ ifMatch }) => ifMatch === '"one"'))
})

test('requests one after the other share a connection', async t => {
  const { url, file } = opened(t, 'good')
  for (let i = 0; i < 10; i++) readsRight(t, file, BEHIND_HEAD + i * 8192, 4096)
  const seen = await server.seen(url)
  t.is(seen.length, 11)
  t.is(new Set(seen.map(({ connection }) => connection)).size, 1)
})

for (const [name, requests] of [
  ['busy-later', 4],
  ['reset-later', 4],
  ['cut-short', 3],
] as const) {
  test(`what passes is tried again, and nothing comes twice: ${name}`, async t => {
    const { url, file } = opened(t, name)
    readsRight(t, file, BEHIND_HEAD, 700_000)
    const seen = await server.seen(url)
    t.is(seen.length, requests)
    if (name !== 'cut-short') return
    const starts = seen.slice(1).map(({ range }) => Number(range.split('-')[0]))
    t.deepEqual(starts, [BEHIND_HEAD, BEHIND_HEAD + 300_000])
  })
}

test('an open waits for a server that is busy', async t => {
  const { file } = opened(t, 'busy-twice')
  readsRight(t, file, 0, 100)
})

test('an empty file has no bytes', async t => {
  const { file } = opened(t, 'empty')
  t.is(file.size(), 0)
  t.is(file.read(new IoBuffer(10), 0, 10, 0), 0)
})

test('a redirect is followed once, and then its target is asked', async t => {
  const { url, file } = opened(t, 'redirect')
  readsRight(t, file, BEHIND_HEAD, 1000)
  t.is((await server.seen(url)).length, 1)
  t.is((await server.seen(url.replace('redirect', 'good'))).length, 2)
})

test('where a redirect leads to may expire', async t => {
  const { url, file } = opened(t, 'signed')
  readsRight(t, file, BEHIND_HEAD, 1000)
  t.is((await server.seen(url)).length, 2)
})

test('a file that is known by its time only is read, too', async t => {
  const { file } = opened(t, 'only-modified')
  readsRight(t, file, BEHIND_HEAD, 1000)
})

/** The errno, and what the message says of the fault and of the next step. */
const AT_OPEN: Record<string, [string, RegExp]> = {
  whole: ['EIO', /does not serve parts of a file.*; turn range requests on there, or copy the file to this/],
  'no-range': ['EIO', /does not say which bytes it sends \(Content-Range: none\); look whether/],
  'unknown-size': ['EIO', /does not say which bytes it sends \(Content-Range: bytes 0-65535\/\*\); look/],
  garbage: ['EIO', /the answer is garbage, no HTTP \(HPE_\w+\); check the address/],
  gzip: ['EIO', /sends it encoded \(Content-Encoding: gzip\); turn that off/],
  'no-validator': ['EIO', /neither ETag nor Last-Modified.*; make it give one of them/],
  unauthorized: [
    'EACCES',
    /wants a user name and a password.*\(401 Unauthorized\); give them as http:\/\/USER/,
  ],
  forbidden: ['EACCES', /does not allow reading it \(403 Forbidden\); have it allowed there/],
  missing: ['ENOENT', /does not exist on the server \(404 Not Found\); check the address/],
  teapot: ['EIO', /answers 418 I'm a Teapot for a range of bytes; look into its log/],
  'circle-a': ['EIO', /redirects in a circle, back to http:.*circle-a; look into its log/],
  'hop-0': ['EIO', /redirects more than 5 times; name the file by the address where it is/],
  'to-ftp': ['EIO', /redirects to ftp: from http:; name the file/],
  nowhere: ['EIO', /answers 302 without saying where to look; look into its log/],
}

for (const [name, [errno, message]] of Object.entries(AT_OPEN)) {
  test(`an open is refused, in words: ${name}`, async t => {
    const url = server.url(name)
    const error = complaintOf(() => systemHost.open(url, false).close())
    t.is(errnoName(error.errno), errno)
    t.true(error.message.startsWith(`${url}: `), error.message)
    t.regex(error.message, message)
  })
}

const LATER: Record<string, [string, RegExp]> = {
  'broken-later': ['EIO', /answers 500 Internal Server Error \(\d+ tries\); try again when it works/],
  'cut-always': [
    'EIO',
    /closes the connection too early, after 0 of 500000 bytes \(\d+ tries\); look into its log/,
  ],
  'whole-later': ['EIO', /does not serve parts of a file/],
  'other-bytes': [
    'EIO',
    /other bytes than those that were asked for \(bytes 99488-599487\/\d+ for 100000-599999\)/,
  ],
  'wrong-length': ['EIO', /a wrong number of bytes \(Content-Length 100 for 500000 bytes\)/],
  'too-much': ['EIO', /sends more than the 500000 bytes that it announced/],
  'changed-honest': [
    'EIO',
    /has changed since it was opened: the server says so \(412\); .*put the file back/,
  ],
  'changed-quietly': ['EIO', /has changed since it was opened: ETag "one" became "two"; .*put the file back/],
  'changed-unmarked': ['EIO', /has changed since it was opened: ETag "one" became none/],
  'changed-whole': ['EIO', /has changed since it was opened: ETag "one" became "two"/],
  'changed-time': ['EIO', /has changed since it was opened: Last-Modified Tue.* became Wed/],
  longer: ['EIO', /has changed since it was opened: 3145851 bytes became 3145852/],
  'hangs-later': [
    'ETIMEDOUT',
    /does not answer, or stopped in the middle of it, for [\d.]+ s \(\d tries\); check/,
  ],
  'hangs-in-the-middle': ['ETIMEDOUT', /does not answer, or stopped in the middle of it/],
}

for (const [name, [errno, message]] of Object.entries(LATER)) {
  test(`a read is refused, in words: ${name}`, async t => {
    const { url, file } = opened(t, name)
    const error = complaintOf(read(file))
    t.is(errnoName(error.errno), errno, error.message)
    t.true(error.message.startsWith(`${url}: `), error.message)
    t.regex(error.message, message)
    // What was read before is still there.
    readsRight(t, file, 0, 4096)
  })
}

test('a server that hangs keeps nobody from another file', t => {
  const { file } = opened(t, 'hangs-later')
  const other = systemHost.open(server.url('good'), false)
  t.teardown(() => other.close())
  t.throws(read(file))
  readsRight(t, other, BEHIND_HEAD, 4096)
})

test('a server that dies makes reads fail until it is back', async t => {
  const mortal = await faultyServer(work)
  t.teardown(() => mortal.kill())
  const file = systemHost.open(mortal.url('good'), false)
  t.teardown(() => file.close())
  readsRight(t, file, BEHIND_HEAD, 4096)
  await mortal.kill()
  const error = complaintOf(read(file))
  t.regex(error.message, /cannot be reached \(ECONNREFUSED\) \(\d+ tries\); check the server/)
  const again = await faultyServer(work, mortal.port)
  t.teardown(() => again.kill())
  readsRight(t, file, BEHIND_HEAD, 500_000)
})

test('a user name and a password are used, and shown to nobody', async t => {
  const url = `http://user:p%40ss@127.0.0.1:${server.port}/private?key=secret`
  const file = systemHost.open(url, false)
  readsRight(t, file, BEHIND_HEAD, 1000)
  t.is(file.path, `http://127.0.0.1:${server.port}/private?…`)
  file.close()
  const wrong = complaintOf(() => systemHost.open(url.replace('p%40ss', 'guess'), false))
  t.regex(wrong.message, /401/)
  t.notRegex(wrong.message, /guess|secret|user:/)
})

test('a user name and a password follow a redirect on their own server only', t => {
  const secret = (name: string) => server.url(name).replace('http://', 'http://user:p%40ss@')
  systemHost.open(secret('back-home'), false).close()
  t.regex(complaintOf(() => systemHost.open(secret('away'), false)).message, /wants a user name.*\(401/)
})

test('a file that was let go gives errors, also to who reads it by then', async t => {
  const { file } = opened(t, 'good')
  const other = systemHost.open(server.url('good'), false)
  t.teardown(() => other.close())
  file.letGo()
  t.regex(complaintOf(read(file)).message, /was closed; open it again/)
  readsRight(t, other, BEHIND_HEAD, 4096)
})

test('a limit that is no number of seconds is refused', async t => {
  const before = process.env.RAWMOUNT_HTTP_TIMEOUT
  process.env.RAWMOUNT_HTTP_TIMEOUT = 'soon'
  t.teardown(() => {
    process.env.RAWMOUNT_HTTP_TIMEOUT = before
  })
  t.regex(
    complaintOf(() => systemHost.open(server.url('good'), false)).message,
    /RAWMOUNT_HTTP_TIMEOUT=soon: is no number/,
  )
})
