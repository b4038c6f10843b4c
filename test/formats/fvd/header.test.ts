import test from 'ava'
import { ImageError } from '../../../src/errors.js'
import { FIELD_NAMES, FIELDS, type FieldName } from '../../../src/formats/fvd/layout.js'
import { SystemError } from '../../../src/libc/errno.js'
import { Budget } from '../../support/budget.js'
import { seeded } from '../../support/random.js'
import type { SimulatedStorage } from '../../support/simulated-storage.js'
import { At, fill, header64, makeFvd, openFvd, PATH, poke } from './images.js'

const MAX32 = 0xffff_ffff

/** On a compact image of 1 MiB over a base of 512 KiB: header 8192, bitmap 4096, table 4096, journal 64 KiB. */
function image(): SimulatedStorage {
  return makeFvd({
    options: {
      compact_image: 'on',
      chunk_size: 8192,
      storage_grow_unit: 8192,
      block_size: 4096,
      journal_size: 65_536,
    },
    baseSize: 512 << 10,
  })
}

/** A field, the low and high words that are put there, and what the message must name. */
type Case = readonly [FieldName, number, number, RegExp]

const HOSTILE: readonly Case[] = [
  ['magic', 0x5143f5a8, 0, /magic/],
  ['version', 0, 0, /layout version 0/],
  ['version', 2, 0, /layout version 2/],
  ['version', MAX32, 0, /layout version 4294967295/],
  ['all_data_in_fvd_img', 2, 0, /all_data_in_fvd_img is 2/],
  ['virtual_disk_size', 1000, 0, /virtual_disk_size is 1000/],
  ['virtual_disk_size', MAX32, 0x7fffffff, /virtual_disk_size is .*more than 2\^53/],
  ['virtual_disk_size', 0, 0x80000000, /virtual_disk_size/],
  ['virtual_disk_size', 0, 0x1000, /table ends at|table takes/],
  ['metadata_size', 0, 0, /metadata_size is 0/],
  ['metadata_size', 8192, 0, /behind the metadata_size/],
  ['metadata_size', MAX32, MAX32, /metadata_size/],
  ['base_img', 0, 0, /base_img is empty/],
  ['base_img', 0xffffffff, 0, /base_img is not UTF-8/],
  ['base_img_size', 1, 0, /base_img_size is 1/],
  ['base_img_size', 512 << 12, 0, /base_img_size/],
  ['base_img_size', 0, 0x80000000, /base_img_size/],
  ['bitmap_offset', 0, 0, /bitmap at 0 overlaps|overlaps the/],
  ['bitmap_offset', 8193, 0, /bitmap_offset is 8193/],
  ['bitmap_offset', 12_288, 0, /overlaps/],
  ['bitmap_offset', 0, 0x80000000, /bitmap_offset/],
  ['bitmap_size', 0, 0, /bitmap_size is 0/],
  ['bitmap_size', 8192, 0, /overlaps/],
  ['bitmap_size', MAX32, MAX32, /bitmap_size/],
  ['block_size', 0, 0, /block_size is 0/],
  ['block_size', 511, 0, /block_size is 511/],
  ['block_size', MAX32, 0, /block_size/],
  ['copy_on_read', 2, 0, /copy_on_read/],
  ['compact_image', 2, 0, /compact_image/],
  ['table_offset', 0, 0, /overlaps/],
  ['table_offset', 8192, 0, /overlaps/],
  ['table_offset', 100 << 20, 0, /table ends at/],
  ['table_offset', 0, 0x80000000, /table_offset/],
  ['chunk_size', 0, 0, /chunk_size is 0/],
  ['chunk_size', 512, 0, /chunk_size is 512/],
  ['chunk_size', 4097, 0, /chunk_size is 4097/],
  ['chunk_size', 0, 0x80000000, /chunk_size/],
  ['storage_grow_unit', 0, 0, /storage_grow_unit is 0/],
  ['storage_grow_unit', MAX32, MAX32, /storage_grow_unit/],
  ['journal_offset', 4096, 0, /overlaps/],
  ['journal_offset', 16_385, 0, /journal_offset is 16385/],
  ['journal_offset', 0, 0x80000000, /journal_offset/],
  ['journal_size', 511, 0, /journal_size is 511/],
  ['journal_size', 1 << 30, 0, /journal ends at/],
  ['journal_size', 0, 0x80000000, /journal_size/],
  ['clean_shutdown', 2, 0, /clean_shutdown/],
]

function refuses(t: import('ava').ExecutionContext, storage: SimulatedStorage, message: RegExp): void {
  storage.settle()
  for (const writable of [false, true]) {
    const error = t.throws(() => openFvd(storage, writable), { instanceOf: ImageError, message })
    t.true(error!.message.startsWith(PATH))
    t.notRegex(error!.message, /\n/)
  }
  t.deepEqual(storage.record, [])
  t.deepEqual(storage.leftOpen(), [])
}

for (const [name, low, high, message] of HOSTILE) {
  test(`${name} = 0x${high.toString(16)}${low.toString(16).padStart(8, '0')} is refused, and nothing changed`, t => {
    const storage = image()
    const words = FIELDS[name].kind === 'u64' ? [low, high] : [low]
    poke(storage, FIELDS[name].at, ...words)
    refuses(t, storage, message)
  })
}

test('a file that was cut off within its metadata is refused, wherever it was cut', t => {
  for (const length of [1, 4, 512, 4335, 4336, 8192, 12_287, 12_288, 16_384, 81_919]) {
    const storage = image()
    storage.contents(PATH).truncate(length)
    storage.settle()
    t.throws(() => openFvd(storage), { instanceOf: ImageError })
    t.deepEqual(storage.record, [])
  }
})

test('a table that is a hole, and so would name storage 0 everywhere, is refused before memory is taken for it', t => {
  const storage = image()
  storage.contents(PATH).zero(header64(storage, At.tableOffset), 4096)
  refuses(t, storage, /hole in the table/)
})

test('a base that is the image itself is refused', t => {
  const storage = image()
  storage.contents(PATH).write(FIELDS.base_img.at, new TextEncoder().encode('disk.fvd\0'))
  storage.settle()
  t.throws(() => openFvd(storage), { code: 'REFUSED', message: /circle/ })
  t.deepEqual(storage.leftOpen(), [])
})

test('a base whose recorded format does not exist is refused by name', t => {
  const storage = image()
  storage.contents(PATH).write(FIELDS.base_img_fmt.at, new TextEncoder().encode('zip\0'))
  t.throws(() => openFvd(storage), { code: 'FORMAT_UNKNOWN', message: /zip/ })
})

test('damage anywhere in the metadata ends in an error that names the file, or in a disk that can be read', t => {
  const random = seeded(t)
  const budget = new Budget(400)
  for (let n = 0; budget.next(); n++) {
    const run = random.fork(n)
    const storage = image()
    const disk = openFvd(storage)
    for (let step = 0; step < 6; step++) disk.write(run.below((1 << 20) >> 12) * 4096, fill(4096, step + 1))
    disk.flush()
    if (run.chance(0.5)) disk.close()
    else disk.drop()
    for (let hit = 0; hit < 3; hit++) {
      const field = run.pick(FIELD_NAMES.filter(name => FIELDS[name].kind !== 'text'))
      const at = run.pick([
        FIELDS[field].at,
        8192 + run.below(8) * 4,
        12_288 + run.below(128) * 4,
        16_384 + run.below(1024) * 4,
      ])
      poke(storage, at, run.pick([0, 1, 511, 512, 4096, 65_536, 0x7fffffff, 0x80000000, MAX32, run.word()]))
    }
    for (const writable of [false, true]) {
      try {
        const damaged = openFvd(storage, writable)
        try {
          const size = Math.min(damaged.size, 1 << 20)
          damaged.read(0, size)
          if (writable) damaged.write(0, fill(Math.min(size, 4096), 9))
          damaged.close()
        } finally {
          damaged.drop()
        }
      } catch (error) {
        if (error instanceof ImageError || error instanceof SystemError) continue
        return t.fail(`run ${n}: ${error instanceof Error ? error.stack : error}`)
      }
    }
    if (storage.leftOpen().length > 0) return t.fail(`run ${n} left open ${storage.leftOpen()}`)
  }
  return t.pass()
})
