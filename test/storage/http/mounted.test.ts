import { execFileSync } from 'node:child_process'
import { type FileHandle, open, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import ava from 'ava'
import { Nginx } from '../../support/http-servers.js'
import { PROGRAM, scratch } from '../../support/mounting.js'
import { pattern } from '../../support/pattern.js'
import { lacks, run, until } from '../../support/tools.js'

const test = ava.serial

/** Bases on a web server through the built program, as a user has them. */
const MiB = 1 << 20
const SIZE = 8 * MiB
const CONTENTS = Buffer.from(pattern(0, SIZE, 1, 1))

test.before(() => {
  process.env.RAWMOUNT_HTTP_TIMEOUT = '2'
})

async function readPiece(disk: FileHandle, offset: number): Promise<Buffer> {
  const { buffer } = await disk.read(Buffer.alloc(4096), 0, 4096, offset)
  return buffer
}

test('an image over a base on a web server is made, mounted, written and filled', async t => {
  if (lacks(t, 'root', 'nginx')) return
  const work = await scratch(t)
  const server = await Nginx.start(work, t)
  await writeFile(join(server.root, 'golden.raw'), CONTENTS)
  const image = work.join('vm.fvd')
  await work.rawmounts(
    'create',
    '-q',
    '-f',
    'fvd',
    '-o',
    'copy_on_read=on,prefetch_min_read_throughput=0,prefetch_min_write_throughput=0',
    '-b',
    server.url('golden.raw'),
    '-F',
    'raw',
    image,
  )
  const mounted = await work.mount(image, '--prefetch', 'on')
  const disk = await open(mounted.disk, 'r+')
  await disk.write(Buffer.from('written'), 0, 7, 3 * MiB)
  await disk.close()
  await until(async () => (await mounted.status()).prefetch.state === 'done')
  // The base is not needed any more.
  await server.kill()
  const expected = Buffer.from(CONTENTS)
  expected.write('written', 3 * MiB)
  t.is(Buffer.compare(await readFile(mounted.disk), expected), 0)
  await mounted.unmount()
})

test('a server that dies fails who needs it, and nobody else, until it is back', async t => {
  if (lacks(t, 'root', 'nginx')) return
  const work = await scratch(t)
  const server = await Nginx.start(work, t)
  await writeFile(join(server.root, 'golden.raw'), CONTENTS)
  const image = work.join('vm.fvd')
  await work.rawmounts('create', '-q', '-f', 'fvd', '-b', server.url('golden.raw'), '-F', 'raw', image)
  const mounted = await work.mount(image, '--cache', 'none', '--threads', '2')
  const disk = await open(mounted.disk, 'r+')
  const own = Buffer.alloc(65536, 'own')
  await disk.write(own, 0, own.length, MiB)
  t.is(Buffer.compare(await readPiece(disk, 2 * MiB), CONTENTS.subarray(2 * MiB, 2 * MiB + 4096)), 0)
  await server.kill()
  const waiting = t.throwsAsync(readPiece(disk, 4 * MiB), { code: 'EIO' })
  t.is(Buffer.compare(await readPiece(disk, MiB), own.subarray(0, 4096)), 0)
  await waiting
  await server.run()
  t.is(Buffer.compare(await readPiece(disk, 4 * MiB), CONTENTS.subarray(4 * MiB, 4 * MiB + 4096)), 0)
  await disk.close()
  await mounted.unmount()
})

test('an image at a URL is mounted with -r', async t => {
  if (lacks(t, 'root', 'nginx')) return
  const work = await scratch(t)
  const server = await Nginx.start(work, t)
  await writeFile(join(server.root, 'golden.raw'), CONTENTS)
  const url = server.url('golden.raw').replace('http://', 'http://user:secret@')
  const mounted = await work.mount(url, '-r', '--format', 'raw')
  t.is(Buffer.compare(await readFile(mounted.disk), CONTENTS), 0)
  const status = JSON.stringify(await mounted.status())
  t.true(status.includes('/golden.raw'))
  t.false(status.includes('secret'))
  await mounted.unmount()
})

test('https needs a certificate that is trusted', async t => {
  if (lacks(t, 'nginx', 'openssl')) return
  const work = await scratch(t)
  const certificate = work.join('server.pem')
  const key = work.join('server.key')
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=rawmount test'],
      ...['-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', certificate],
    ],
    { stdio: 'ignore' },
  )
  const server = await Nginx.start(work, t, { certificate, key })
  await writeFile(join(server.root, 'golden.raw'), CONTENTS)
  const url = server.url('golden.raw')
  t.true(url.startsWith('https:'))
  const untrusted = await work.rawmount('info', '--format', 'raw', url)
  t.is(untrusted.code, 1)
  t.regex(
    untrusted.stderr,
    /golden\.raw: the certificate of the server is not to be trusted \(\w+\); name the file of its authority in NODE_EXTRA_CA_CERTS/,
  )
  const plain = await work.rawmount('info', '--format', 'raw', url.replace('https:', 'http:'))
  t.regex(plain.stderr, /the server answers 400 Bad Request/)
  const trusted = await run(process.execPath, [PROGRAM, 'info', '--format', 'raw', url], {
    env: { NODE_EXTRA_CA_CERTS: certificate },
  })
  const down = await run(process.execPath, [PROGRAM, 'info', server.url('down')], {
    env: { NODE_EXTRA_CA_CERTS: certificate },
  })
  t.regex(down.stderr, /the server redirects to http: from https:; name the file by an address that does not/)
  t.is(trusted.stderr, '')
  t.regex(trusted.stdout, /virtual size: 8 MiB/)
})
