import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import ava from 'ava'
import { contentsOf, expectedDisk, golden, timesOf, UNPACKING, unpack } from '../../support/golden.js'
import { type Mounted, NEEDS, type Scratch, scratch } from '../../support/mounting.js'
import { pattern } from '../../support/pattern.js'
import { bytesByRawmount } from '../../support/qemu.js'
import { lacks, succeed } from '../../support/tools.js'
import { borderPieces } from './border-pieces.js'
import { PlainReader } from './plain-reader.js'

// One at a time: each keeps the machine busy by itself.
const test = ava.serial

/** The built program on the reference's own images; golden.test.ts has all of them, without it. */
const SHOWN = [
  'nc-nobase-fresh',
  'nc-base-nojournal-crashed',
  'c-nobase-datafile-clean',
  'c-base-prefetched-clean',
  'c-baseqcow2-b64k-c64k-crashed',
]

/** Flat and compact, with a data file, a raw and a qcow2 base, blocks that no chunk is a multiple of, crashes. */
const MOUNTED = [
  'nc-nobase-datafile-clean',
  'nc-basesmall-b7680-crashed',
  'c-base-datafile-b64k-c64k-clean',
  'c-baseqcow2-b64k-c64k-crashed',
].map(golden)

for (const name of SHOWN) {
  test(`rawmount info tells all header fields of ${name} by their names`, async t => {
    if (lacks(t, ...UNPACKING)) return
    const work = await scratch(t)
    const image = golden(name)
    const path = join(await unpack(image, work.path), 'image.fvd')
    const info = JSON.parse(await work.rawmounts('info', '--output', 'json', path))
    t.is(info.format, 'fvd')
    t.is(info['virtual-size'], image.virtual_size)
    t.is(info['dirty-flag'], image.header.clean_shutdown === 0)
    t.is(info['backing-filename'] ?? '', image.header.all_data_in_fvd_img === 1 ? '' : image.header.base_img)
    t.is(info['format-specific'].type, 'fvd')
    const { magic: _, version: __, ...fields } = image.header
    t.like(info['format-specific'].data, fields)
    const human = await work.rawmounts('info', path)
    for (const [field, value] of Object.entries(fields))
      t.regex(human, new RegExp(`^ +${field}: ?${value}$`, 'm'))
  })
}

for (const image of MOUNTED) {
  test(`${image.name} mounted read-only shows its disk, and none of its files changes`, async t => {
    if (lacks(t, ...UNPACKING, ...NEEDS.kernel)) return
    const work = await scratch(t)
    const directory = await unpack(image, work.path)
    const times = await timesOf(directory)
    const mounted = await work.mount(join(directory, 'image.fvd'), '--read-only')
    t.is(await hashOf(mounted), image.sha256)
    await mounted.unmount()
    t.deepEqual(await contentsOf(directory), image.files)
    t.deepEqual(await timesOf(directory), times)
  })

  test(`${image.name} keeps what dd writes to its mount`, async t => {
    if (lacks(t, ...UNPACKING, ...NEEDS.kernel)) return
    const work = await scratch(t)
    const directory = await unpack(image, work.path)
    const path = join(directory, 'image.fvd')
    const model = await expectedDisk(image)
    const mounted = await work.mount(path)
    t.is(await hashOf(mounted), image.sha256)
    for (const [version, { offset, length }] of borderPieces(image).entries()) {
      const bytes = pattern(offset, length, version + 1, 0)
      await put(work, bytes, mounted, offset)
      model.set(bytes, offset)
    }
    const hash = createHash('sha256').update(model).digest('hex')
    t.is(await hashOf(mounted), hash)
    await mounted.unmount()
    t.is(new PlainReader(directory).cleanShutdown, 1)
    t.true(model.equals(bytesByRawmount(path)))
    const again = await work.mount(path, '--read-only')
    t.is(await hashOf(again), hash)
    await again.unmount()
  })
}

async function hashOf({ disk }: Mounted): Promise<string> {
  return (await succeed('sha256sum', disk)).slice(0, 64)
}

async function put(work: Scratch, bytes: Uint8Array, { disk }: Mounted, offset: number): Promise<void> {
  await writeFile(work.join('piece'), bytes)
  await succeed(
    'dd',
    `if=${work.join('piece')}`,
    `of=${disk}`,
    'bs=1M',
    'oflag=seek_bytes',
    `seek=${offset}`,
    'conv=notrunc,fsync',
    'status=none',
  )
}
