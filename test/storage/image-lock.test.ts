import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { ImageError } from '../../src/errors.js'
import { systemHost } from '../../src/storage/system-host.js'

let directory: string
test.before(() => {
  directory = mkdtempSync(join(tmpdir(), 'rawmount-lock-'))
})
test.after.always(() => rmSync(directory, { recursive: true, force: true }))

let files = 0
function image(): string {
  const path = join(directory, `image-${files++}`)
  writeFileSync(path, Buffer.alloc(65536))
  return path
}

function locked(path: string, writable: boolean) {
  const file = systemHost.open(path, writable)
  try {
    systemHost.lock(file)
    return file
  } catch (error) {
    file.close()
    throw error
  }
}

test('a second writer is refused by name, until the first closes', t => {
  const path = image()
  const first = locked(path, true)
  const error = t.throws(() => locked(path, true), { instanceOf: ImageError })
  t.is(error?.code, 'IN_USE')
  t.true(error?.message.startsWith(`${path}: is in use by another program`))
  // Reading it instead is advice for a mount only.
  t.regex(error!.message, /; stop it first$/)
  first.close()
  locked(path, true).close()
})

test('readers share an image', t => {
  const path = image()
  const first = locked(path, false)
  const second = locked(path, false)
  t.pass()
  first.close()
  second.close()
})

test('a reader and a writer exclude each other, whoever comes first', t => {
  const path = image()
  const reader = locked(path, false)
  t.throws(() => locked(path, true), { message: /is in use by another program/ })
  reader.close()
  const writer = locked(path, true)
  t.throws(() => locked(path, false), { message: /is being written by another program/ })
  writer.close()
})

test('a refused lock leaves nothing that refuses others', t => {
  const path = image()
  const reader = locked(path, false)
  t.throws(() => locked(path, true))
  const second = locked(path, false)
  t.pass()
  reader.close()
  second.close()
})

/** QEMU lets a reader of a raw disk share it with a writer; of a format with metadata it does not. */
function qedImage(): string {
  const path = join(directory, `image-${files++}.qed`)
  spawnSync('qemu-img', ['create', '-q', '-f', 'qed', path, '1M'])
  return path
}

const qemuIo = (path: string, ...args: string[]) =>
  spawnSync('qemu-io', ['-f', 'qed', ...args, path], { encoding: 'utf8', input: '' })

const withQemu = spawnSync('qemu-io', ['--version']).error === undefined || process.env.CI ? test : test.skip

withQemu('QEMU refuses to write or read an image that is locked for writing (needs qemu-io)', t => {
  const path = qedImage()
  const file = locked(path, true)
  t.regex(qemuIo(path, '-c', 'write 0 512').stderr, /Failed to get "write" lock/)
  t.regex(qemuIo(path, '-r', '-c', 'read 0 512').stderr, /Failed to get shared "write" lock/)
  file.close()
  t.is(qemuIo(path, '-c', 'write 0 512').stderr, '')
})

withQemu('QEMU reads an image that is locked for reading, and may not write it (needs qemu-io)', t => {
  const path = qedImage()
  const file = locked(path, false)
  t.is(qemuIo(path, '-r', '-c', 'read 0 512').stderr, '')
  t.regex(qemuIo(path, '-c', 'write 0 512').stderr, /Failed to get .*"write" lock/)
  file.close()
})
