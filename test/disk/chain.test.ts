import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { createImage } from '../../src/disk/create.js'
import { DEPTH_LIMIT } from '../../src/disk/gate.js'
import { openImage } from '../../src/disk/open.js'
import type { BackingReference } from '../../src/formats/format.js'
import { SimulatedStorage } from '../support/simulated-storage.js'

const SIZE = 64 * 1024
const OPTIONS = new Map([['cluster_size', '4096']])

function makeQed(host: SimulatedStorage, path: string, backing: BackingReference | null): void {
  createImage(path, { format: 'qed', size: SIZE, backing, host, options: OPTIONS, unsafeBacking: true })
}

test(`a chain of ${DEPTH_LIMIT} images opens, one of ${DEPTH_LIMIT + 1} is refused with the limit`, t => {
  const host = new SimulatedStorage()
  for (let n = 0; n <= DEPTH_LIMIT; n++) {
    makeQed(host, `/c/${n}`, n === 0 ? null : { name: `${n - 1}`, format: null })
  }
  const image = openImage(`/c/${DEPTH_LIMIT - 1}`, { host })
  t.is(image.chain.length, DEPTH_LIMIT)
  image.close()
  t.throws(() => openImage(`/c/${DEPTH_LIMIT}`, { host }), {
    code: 'REFUSED',
    message: /the limit is 10; .*rawmount rebase/,
  })
  t.deepEqual(host.leftOpen(), [])
})

test('a chain that goes round in a circle is refused by name, also through another name of the file', t => {
  const host = new SimulatedStorage()
  makeQed(host, '/c/a', { name: 'b', format: null })
  makeQed(host, '/c/b', { name: 'alias', format: null })
  host.link('/c/alias', '/c/a')
  t.throws(() => openImage('/c/a', { host, writable: true }), {
    code: 'REFUSED',
    message: /'alias' leads back to \/c\/a/,
  })
  t.throws(() => openImage('/c/b', { host }), { code: 'REFUSED', message: /circle/ })
  t.deepEqual(host.leftOpen(), [])
})

test('a circle of as many images as a chain may have is called a circle', t => {
  const host = new SimulatedStorage()
  for (let n = 0; n < DEPTH_LIMIT; n++)
    makeQed(host, `/c/${n}`, { name: `${(n + 1) % DEPTH_LIMIT}`, format: null })
  t.throws(() => openImage('/c/0', { host }), { code: 'REFUSED', message: /leads back to \/c\/0.*circle/ })
})

test('an image that is its own backing file is refused', t => {
  const host = new SimulatedStorage()
  makeQed(host, '/c/a', { name: 'a', format: null })
  t.throws(() => openImage('/c/a', { host }), { code: 'REFUSED', message: /circle/ })
})

test('a missing backing file is named with the image that asks for it', t => {
  const host = new SimulatedStorage()
  makeQed(host, '/c/a', { name: 'gone', format: null })
  t.throws(() => openImage('/c/a', { host }), {
    code: 'NOT_FOUND',
    message: /^\/c\/a: backing file 'gone' does not exist/,
  })
})

test('an image whose chain does not open is not changed by a byte', t => {
  const host = new SimulatedStorage()
  makeQed(host, '/c/a', { name: 'gone', format: null })
  host.settle()
  t.throws(() => openImage('/c/a', { host, writable: true }))
  t.deepEqual(host.record, [])
  t.deepEqual(host.leftOpen(), [])
})

for (const [kind, words] of [
  ['other', 'a FIFO'],
  ['block', 'a block device'],
] as const) {
  test(`${words} as backing file is refused and never opened`, t => {
    const host = new SimulatedStorage()
    host.addSpecial('/c/special', kind)
    makeQed(host, '/c/a', { name: 'special', format: 'raw' })
    t.throws(() => openImage('/c/a', { host }), { code: 'REFUSED', message: new RegExp(words) })
    t.is(host.calls.filter(({ path }) => path === '/c/special').length, 0)
  })
}

test('a name that is no file is refused', t => {
  for (const name of ['nbd:localhost:10809', 'json:{}', 'ftp://example.org/disk']) {
    const host = new SimulatedStorage()
    makeQed(host, '/c/a', { name, format: null })
    t.throws(() => openImage('/c/a', { host }), { code: 'REFUSED', message: /not the name of a file/ })
  }
})

test('a relative backing file lies beside its image, an absolute one anywhere', t => {
  const host = new SimulatedStorage()
  host.addFile('/c/deep/base', new Uint8Array(SIZE).fill(7))
  makeQed(host, '/c/middle', { name: 'deep/base', format: 'raw' })
  makeQed(host, '/elsewhere/top', { name: '/c/middle', format: null })
  const image = openImage('/elsewhere/top', { host })
  t.deepEqual(
    image.chain.map(({ path }) => path),
    ['/elsewhere/top', '/c/middle', '/c/deep/base'],
  )
  image.close()
})

test('a backing file recorded as raw is never probed, an unmarked one is', t => {
  const host = new SimulatedStorage()
  makeQed(host, '/c/base', null)
  makeQed(host, '/c/as-raw', { name: 'base', format: 'raw' })
  makeQed(host, '/c/unmarked', { name: 'base', format: null })
  const formats = (path: string) => {
    const image = openImage(path, { host })
    image.close()
    return image.chain.map(({ format }) => format)
  }
  t.deepEqual(formats('/c/as-raw'), ['qed', 'raw'])
  t.deepEqual(formats('/c/unmarked'), ['qed', 'qed'])
})

test('an unmarked backing file without a magic is raw, and one of a foreign format is refused', t => {
  const host = new SimulatedStorage()
  host.addFile('/c/base', new Uint8Array(SIZE))
  host.addFile('/c/foreign', Buffer.from('KDMV'))
  makeQed(host, '/c/a', { name: 'base', format: null })
  makeQed(host, '/c/b', { name: 'foreign', format: null })
  const image = openImage('/c/a', { host })
  t.is(image.chain[1].format, 'raw')
  image.close()
  t.throws(() => openImage('/c/b', { host }), { code: 'FORMAT_UNSUPPORTED', message: /VMDK/ })
})

test('a file without a magic that the user names is not guessed to be raw', t => {
  const host = new SimulatedStorage()
  host.addFile('/c/disk', new Uint8Array(SIZE))
  t.throws(() => openImage('/c/disk', { host }), { code: 'FORMAT_UNKNOWN', message: /--format raw/ })
})

test('backing=deny opens no backing file, and a misspelt option is named', t => {
  const host = new SimulatedStorage()
  host.addFile('/c/base', new Uint8Array(SIZE))
  makeQed(host, '/c/a', { name: 'base', format: 'raw' })
  t.throws(() => openImage('/c/a', { host, backing: 'deny' }), { code: 'REFUSED', message: /--backing=deny/ })
  t.throws(() => openImage('/c/a', { host, writeable: true } as never), {
    instanceOf: TypeError,
    message: /writeable/,
  })
})

test('two images share a base, and a base in use as an image by a writer is not opened', t => {
  const host = new SimulatedStorage()
  makeQed(host, '/c/base', null)
  for (const name of ['a', 'b']) makeQed(host, `/c/${name}`, { name: 'base', format: null })
  const images = ['a', 'b'].map(name => openImage(`/c/${name}`, { host, writable: true }))
  t.throws(() => openImage('/c/base', { host, writable: true }), { code: 'IN_USE' })
  for (const image of images) image.close()
  const writer = openImage('/c/base', { host, writable: true })
  t.throws(() => openImage('/c/a', { host }), { code: 'IN_USE' })
  writer.close()
})

test('backing=same-dir looks through symbolic links', t => {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'rawmount-chain-')))
  try {
    mkdirSync(join(directory, 'other'))
    createImage(join(directory, 'other/base'), { format: 'raw', size: SIZE })
    createImage(join(directory, 'near'), { format: 'raw', size: SIZE })
    symlinkSync('other/base', join(directory, 'link'))
    for (const name of ['link', 'near']) {
      createImage(join(directory, `over-${name}`), {
        format: 'qed',
        size: SIZE,
        backing: { name, format: 'raw' },
      })
    }
    t.notThrows(() => openImage(join(directory, 'over-near'), { backing: 'same-dir' }).close())
    t.throws(() => openImage(join(directory, 'over-link'), { backing: 'same-dir' }), { code: 'REFUSED' })
  } finally {
    rmSync(directory, { recursive: true })
  }
})
