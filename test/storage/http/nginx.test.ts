import { rename, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import ava from 'ava'
import { openImage } from '../../../src/disk/open.js'
import { IoBuffer } from '../../../src/libc/io-buffer.js'
import { Nginx } from '../../support/http-servers.js'
import { scratch } from '../../support/mounting.js'
import { pattern } from '../../support/pattern.js'
import { bytesByRawmount } from '../../support/qemu.js'
import { lacks, succeed } from '../../support/tools.js'

// One at a time: reads sleep in this process.
const test = ava.serial

/** Bases on a real web server. */
const MiB = 1 << 20
const SIZE = 5 * MiB + 512
const CONTENTS = Buffer.from(pattern(0, SIZE, 1, 1))

test.before(() => {
  process.env.RAWMOUNT_HTTP_TIMEOUT = '2'
})

for (const format of ['raw', 'qed', 'qcow2', 'fvd']) {
  test(`a base of the format ${format} reads the same by http as from its file`, async t => {
    if (lacks(t, 'nginx', 'qemu-img')) return
    const work = await scratch(t)
    const server = await Nginx.start(work, t)
    const golden = join(server.root, `golden.${format}`)
    await writeFile(join(server.root, 'golden.raw'), CONTENTS)
    if (format === 'fvd') {
      await work.rawmounts('create', '-q', '-f', 'fvd', '-b', 'golden.raw', '-F', 'raw', golden)
    } else if (format !== 'raw') {
      await succeed('qemu-img', 'convert', '-f', 'raw', '-O', format, join(server.root, 'golden.raw'), golden)
    }
    const image = work.join('vm.qed')
    await work.rawmounts(
      'create',
      '-q',
      '-f',
      'qed',
      '-b',
      server.url(`golden.${format}`),
      '-F',
      format,
      image,
    )
    const created = (await server.log()).length
    t.deepEqual(Buffer.compare(bytesByRawmount(image).subarray(0, SIZE), CONTENTS), 0)
    const requests = (await server.log()).slice(created)
    t.true(requests.every(({ status }) => status === 206))
    const sent = requests.reduce((sum, { bytes }) => sum + bytes, 0)
    // Tables and headers, and the heads that come with the open; but nothing of the disk twice.
    t.true(sent < SIZE + 4 * 65536 + 512 * 1024, `${sent} bytes sent`)
    t.true(requests.length < 20, `${requests.length} requests`)
    if (format === 'raw') t.is(sent, SIZE)
  })
}

test('images on a web server are opened by URL, with bases that lie beside them', async t => {
  if (lacks(t, 'nginx', 'qemu-img')) return
  const work = await scratch(t)
  const server = await Nginx.start(work, t)
  await writeFile(join(server.root, 'golden.raw'), CONTENTS)
  await work.rawmounts(
    'create',
    '-q',
    '-f',
    'qed',
    '-b',
    'golden.raw',
    '-F',
    'raw',
    join(server.root, 'vm.qed'),
  )
  const url = server.url('vm.qed').replace('http://', 'http://me:secret@')
  t.is(Buffer.compare(bytesByRawmount(url).subarray(0, SIZE), CONTENTS), 0)
  const info = await work.rawmounts('info', '--backing-chain', url)
  t.regex(info, /image: http:\/\/127\.0\.0\.1:\d+\/vm\.qed\n/)
  t.regex(info, /backing file: golden\.raw \(actual path: http:\/\/127\.0\.0\.1:\d+\/golden\.raw\)/)
  t.notRegex(info, /secret/)
  openImage(url, { backing: 'same-dir' }).close()
  t.throws(() => openImage(url, { writable: true }), {
    message: /vm\.qed: lies on a web server, and can only be read; mount with -r, or make an image over it/,
  })
})

test('an image on a web server does not lead to files of this machine, nor in a circle', async t => {
  if (lacks(t, 'nginx')) return
  const work = await scratch(t)
  const server = await Nginx.start(work, t)
  const make = (name: string, base: string) =>
    work.rawmounts('create', '-q', '-u', '-f', 'qed', '-b', base, join(server.root, name), '1M')
  await make('thief.qed', '/etc/passwd')
  await make('circle.qed', 'circle.qed')
  t.throws(() => openImage(server.url('thief.qed')), {
    message:
      /thief\.qed: backing file '\/etc\/passwd' is no URL and does not lie beside the image, .*; rebase/,
  })
  t.throws(() => openImage(server.url('circle.qed')), {
    message: /leads back to http:.*the chain is a circle/,
  })
})

test('the policies for backing files hold for URLs', async t => {
  const work = await scratch(t)
  const image = work.join('vm.qed')
  await work.rawmounts('create', '-q', '-u', '-f', 'qed', '-b', 'http://u:secret@127.0.0.1:1/x', image, '1M')
  const message =
    /backing file 'http:\/\/127\.0\.0\.1:1\/x' (is not opened, as --backing=deny|lies in another directory)/
  for (const backing of ['deny', 'same-dir'] as const)
    t.throws(() => openImage(image, { backing }), { message })
})

test('a base that is replaced is refused, and read again when it is back', async t => {
  if (lacks(t, 'nginx')) return
  const work = await scratch(t)
  const server = await Nginx.start(work, t)
  const golden = join(server.root, 'golden.raw')
  await writeFile(golden, CONTENTS)
  await writeFile(`${golden}.new`, Buffer.alloc(SIZE, 'new'))
  await utimes(`${golden}.new`, 1, 1)
  const image = work.join('vm.qed')
  await work.rawmounts('create', '-q', '-f', 'qed', '-b', server.url('golden.raw'), '-F', 'raw', image)
  const opened = openImage(image)
  t.teardown(() => opened.close())
  const { disk } = opened
  const buffer = new IoBuffer(MiB)
  disk.read(MiB, MiB, buffer, 0)
  t.is(Buffer.compare(buffer.bytes, CONTENTS.subarray(MiB, 2 * MiB)), 0)
  await rename(golden, `${golden}.old`)
  await rename(`${golden}.new`, golden)
  t.throws(() => disk.read(MiB, MiB, buffer, 0), {
    message: /golden\.raw: has changed since it was opened: .*; a base must stay as it is/,
  })
  await rename(`${golden}.old`, golden)
  disk.read(2 * MiB, MiB, buffer, 0)
  t.is(Buffer.compare(buffer.bytes, CONTENTS.subarray(2 * MiB, 3 * MiB)), 0)
})
