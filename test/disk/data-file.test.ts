import test from 'ava'
import { createImage } from '../../src/disk/create.js'
import { errnoOf } from '../../src/errors.js'
import { errno } from '../../src/libc/errno.js'
import { seeded } from '../support/random.js'
import { SimulatedStorage } from '../support/simulated-storage.js'
import { TestDisk } from '../support/test-disk.js'

/** Images whose data lie in another file, which may be an image itself. */
const KIB = 1024
const PATH = '/images/disk.fvd'
const DATA = '/images/data'
const COMPACT = { compact_image: 'on', chunk_size: `${8 * KIB}`, storage_grow_unit: `${8 * KIB}` }

interface Made {
  readonly size?: number
  readonly options?: Readonly<Record<string, string>>
  /** Format and size of the data file that is there before. */
  readonly data?: { readonly format: string; readonly size: number }
}

function make({ size = 256 * KIB, options = {}, data }: Made = {}): SimulatedStorage {
  const storage = new SimulatedStorage()
  if (data !== undefined) createImage(DATA, { ...data, host: storage })
  createImage(PATH, {
    format: 'fvd',
    size,
    host: storage,
    options: new Map(
      Object.entries({ data_file: 'data', ...(data && { data_file_fmt: data.format }), ...options }),
    ),
  })
  storage.settle()
  return storage
}

function open(host: SimulatedStorage, writable = true): TestDisk {
  return TestDisk.open(PATH, { host, writable })
}

for (const format of ['qed', 'fvd']) {
  for (const [layout, options] of Object.entries({ flat: {}, compact: COMPACT })) {
    test(`a ${layout} image with its data in ${format} keeps what is written, over closing and a crash`, t => {
      const random = seeded(t)
      const storage = make({ options, data: { format, size: 512 * KIB } })
      const expected = new Uint8Array(256 * KIB)
      let disk = open(storage)
      for (let step = 0; step < 60; step++) {
        const offset = random.below(expected.length)
        const bytes = new Uint8Array(Math.min(random.between(1, 20_000), expected.length - offset)).fill(
          step + 1,
        )
        if (random.chance(0.2)) {
          disk.zero(offset, bytes.length)
          bytes.fill(0)
        } else disk.write(offset, bytes)
        expected.set(bytes, offset)
        const fate = random.below(10)
        if (fate === 0) {
          disk.close()
          disk = open(storage)
        } else if (fate === 1) {
          disk.flush()
          disk.drop()
          disk = open(storage)
        }
      }
      t.deepEqual(disk.read(0, expected.length), expected)
      disk.close()
      t.deepEqual(storage.leftOpen(), [])
      const again = open(storage, false)
      t.deepEqual(again.read(0, expected.length), expected)
      again.close()
    })
  }
}

test('a data file that is an image of fixed size is ENOSPC when it is full', t => {
  const storage = make({ options: COMPACT, data: { format: 'qed', size: 32 * KIB } })
  const disk = open(storage)
  for (let chunk = 0; chunk < 4; chunk++) disk.write(chunk * 8 * KIB, new Uint8Array(512).fill(1))
  t.is(errnoOf(t.throws(() => disk.write(64 * KIB, new Uint8Array(512).fill(2)))), errno.ENOSPC)
  disk.close()
})

test('a data file that is in use is refused, and so is the image while its data file is', t => {
  const storage = make({ options: COMPACT })
  const file = storage.open(DATA, true)
  storage.lock(file)
  t.throws(() => open(storage), { code: 'IN_USE', message: /data/ })
  file.close()
  open(storage).close()
})

test('a data file that looks like an image, and is not said to be one, is asked about', t => {
  const storage = make({ options: COMPACT })
  const disk = open(storage)
  disk.write(0, new TextEncoder().encode('QED\0'))
  disk.close()
  // What is recorded counts, whatever the guest wrote.
  t.notThrows(() => open(storage).close())
  storage.contents(PATH).write(2132, new Uint8Array(16))
  storage.settle()
  t.throws(() => open(storage), {
    code: 'REFUSED',
    message: /data file .*data looks like a qed image.*data_file_fmt=raw/,
  })
  t.deepEqual(storage.record, [])
})

test('a data file that is missing, or the image itself, is refused by name', t => {
  const storage = make({ options: COMPACT })
  storage.remove(DATA)
  t.throws(() => open(storage), { code: 'NOT_FOUND', message: /data file 'data' does not exist/ })
  storage.contents(PATH).write(1108, new TextEncoder().encode('disk.fvd\0'))
  t.throws(() => open(storage), { code: 'REFUSED', message: /leads back to .*the chain is a circle/ })
  t.deepEqual(storage.leftOpen(), [])
})

test('--backing=deny opens no data file', t => {
  const storage = make({ options: COMPACT })
  t.throws(() => TestDisk.open(PATH, { host: storage, backing: 'deny' }), {
    code: 'REFUSED',
    message: /data file/,
  })
})
