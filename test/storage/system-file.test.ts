import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { IoBuffer } from '../../src/libc/io-buffer.js'
import { SystemFile } from '../../src/storage/system-file.js'
import { systemHost } from '../../src/storage/system-host.js'

let directory: string
test.before(() => {
  directory = mkdtempSync(join(tmpdir(), 'rawmount-storage-'))
})
test.after.always(() => rmSync(directory, { recursive: true, force: true }))

function created(name: string) {
  return systemHost.create(join(directory, name), false)
}

test('what is written is read back, and reading stops at the end of the file', t => {
  const file = created('readback')
  const buffer = new IoBuffer(100)
  buffer.bytes.set([1, 2, 3, 4], 10)
  file.write(buffer, 10, 4, 2 ** 33)
  buffer.bytes.fill(0)
  t.is(file.read(buffer, 50, 40, 2 ** 33 - 1), 5)
  t.deepEqual([...buffer.bytes.subarray(50, 56)], [0, 1, 2, 3, 4, 0])
  t.is(file.size(), 2 ** 33 + 4)
  file.close()
})

test('a second object attached to the description reads the same file', t => {
  const file = created('attached')
  const buffer = new IoBuffer(8)
  buffer.bytes.fill(7)
  file.write(buffer, 0, 8, 0)
  const other = new SystemFile(structuredClone(file.describe()))
  t.is(other.read(new IoBuffer(8), 0, 8, 0), 8)
  t.is(other.path, file.path)
  file.close()
})

test('zeroing gives storage back, keeps the size and leaves the neighbours', t => {
  const file = created('zeroed')
  const buffer = new IoBuffer(1 << 20)
  buffer.bytes.fill(0xaa)
  file.write(buffer, 0, buffer.length, 0)
  file.sync()
  const before = file.allocated()
  file.zero(4000, 900_000)
  t.is(file.size(), 1 << 20)
  t.true(file.allocated() < before / 2)
  file.read(buffer, 0, buffer.length, 0)
  t.is(buffer.bytes[3999], 0xaa)
  t.is(buffer.bytes[4000], 0)
  t.is(buffer.bytes[903_999], 0)
  t.is(buffer.bytes[904_000], 0xaa)
  file.close()
})

test('stretches tell holes from data', t => {
  const file = created('stretches')
  const buffer = new IoBuffer(65536)
  buffer.bytes.fill(1)
  file.truncate(10 << 20)
  file.write(buffer, 0, 65536, 4 << 20)
  t.is(file.stretch(0, true), 4 << 20)
  t.is(file.stretch(0, false), 0)
  t.is(file.stretch(4 << 20, false), (4 << 20) + 65536)
  t.is(file.stretch((4 << 20) + 65536, true), 10 << 20)
  file.close()
})

test('a failed call names the file, the call and the errno', t => {
  const path = join(directory, 'readonly')
  writeFileSync(path, 'x')
  const file = systemHost.open(path, false)
  const error = t.throws(() => file.write(new IoBuffer(1), 0, 1, 0))
  t.is(error?.message, `${path}: pwrite: bad file descriptor (EBADF)`)
  file.close()
  t.throws(() => systemHost.open(join(directory, 'missing'), false), {
    message: `${join(directory, 'missing')}: open: no such file or directory (ENOENT)`,
  })
})

test('an existing file is not created again, and kept as it is when it may be replaced', t => {
  const path = join(directory, 'existing')
  writeFileSync(path, 'precious')
  t.throws(() => systemHost.create(path, false), { message: /EEXIST/ })
  systemHost.create(path, true).close()
  t.is(statSync(path).size, 8)
})

test('two names of one file have one identity', t => {
  writeFileSync(join(directory, 'one'), '')
  writeFileSync(join(directory, 'two'), '')
  const { identity, kind } = systemHost.inspect(join(directory, 'one'))
  t.is(kind, 'regular')
  t.is(systemHost.inspect(join(directory, '.', 'one')).identity, identity)
  t.not(systemHost.inspect(join(directory, 'two')).identity, identity)
  t.is(systemHost.inspect('/dev/null').kind, 'other')
})
