import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { createImage } from '../../../src/disk/create.js'
import { TestDisk } from '../../support/test-disk.js'
import { fill } from './images.js'

/** An image whose header asks for a shell command when it needs room; the command leaves a file behind. */
function make(t: ExecutionContext): { image: string; trace: string } {
  const directory = mkdtempSync(join(tmpdir(), 'rawmount-storage-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const [image, trace] = [join(directory, 'disk.fvd'), join(directory, 'trace')]
  const options = {
    compact_image: 'on',
    storage_grow_unit: '1M',
    add_storage_cmd: `echo ran >> ${trace}; exit 3`,
  }
  createImage(image, { format: 'fvd', size: 16 << 20, options: new Map(Object.entries(options)) })
  return { image, trace }
}

test('add_storage_cmd is not run, and the file grows by itself', t => {
  const { image, trace } = make(t)
  const disk = TestDisk.open(image, { writable: true })
  disk.write(0, fill(4 << 20, 1))
  disk.close()
  t.false(existsSync(trace))
})

test('add_storage_cmd is run where that is allowed, and a failure of it is none of the write', t => {
  const { image, trace } = make(t)
  const disk = TestDisk.open(image, { writable: true, allowStorageCommand: true })
  t.false(existsSync(trace))
  disk.write(0, fill(4 << 20, 1))
  t.true(existsSync(trace))
  t.deepEqual(disk.read(0, 4 << 20), fill(4 << 20, 1))
  disk.close()
})
