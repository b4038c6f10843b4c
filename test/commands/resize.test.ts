import { readFile, stat, writeFile } from 'node:fs/promises'
import test from 'ava'
import { NEEDS, type Scratch, scratch } from '../support/mounting.js'
import { createByQemu, QEMU, qemuIo } from '../support/qemu.js'
import { TestDisk } from '../support/test-disk.js'
import { lacks, run, succeed } from '../support/tools.js'
import { complains } from './support/complaint.js'

const MIB = 1024 * 1024

async function sizeOf(work: Scratch, image: string, ...options: string[]): Promise<number> {
  return JSON.parse(await work.rawmounts('info', '--output=json', ...options, image))['virtual-size']
}

async function compact(work: Scratch, name: string, size: string): Promise<string> {
  await work.rawmounts('create', '-q', '-f', 'fvd', '-o', 'compact_image=on', work.join(name), size)
  return work.join(name)
}

test('sizes are taken as they are, or as more or less than the disk has, and what was done is told', async t => {
  const work = await scratch(t)
  for (const image of [await work.create('a.qed', '1M'), await compact(work, 'a.fvd', '1M')]) {
    t.is(
      await work.rawmounts('resize', image, '+512K'),
      `${image}: grown from 1 MiB (1048576 bytes) to 1.5 MiB (1572864 bytes)\n`,
    )
    t.is(
      await work.rawmounts('resize', image, '-1M', '--shrink'),
      `${image}: shrunk from 1.5 MiB (1572864 bytes) to 512 KiB (524288 bytes)\n`,
    )
    t.deepEqual(JSON.parse(await work.rawmounts('resize', '--output=json', image, '2M')), {
      filename: image,
      format: image.slice(-3),
      before: 524288,
      after: 2 * MIB,
    })
    t.is(await work.rawmounts('resize', '-q', image, '3M'), '')
    t.is(await sizeOf(work, image), 3 * MIB)
  }
  const raw = work.join('a.raw')
  await writeFile(raw, 'some bytes')
  await work.rawmounts('resize', '-q', '-f', 'raw', raw, '+1')
  t.is(await readFile(raw, 'latin1'), 'some bytes\0')
  await work.rawmounts('resize', '-q', '-f', 'raw', '--shrink', raw, '10')
  t.is(await readFile(raw, 'latin1'), 'some bytes')
})

test('a disk that has the size already is not touched', async t => {
  const work = await scratch(t)
  for (const image of [await work.create('a.qed', '1M'), await compact(work, 'a.fvd', '1M')]) {
    const before = await readFile(image)
    const { mtimeNs } = await stat(image, { bigint: true })
    for (const size of ['1M', '+0', '-0']) {
      t.is(
        await work.rawmounts('resize', image, size),
        `${image}: has 1 MiB (1048576 bytes) already; nothing was changed\n`,
      )
    }
    t.true(before.equals(await readFile(image)))
    t.is((await stat(image, { bigint: true })).mtimeNs, mtimeNs)
  }
})

const MISTAKES: [string, string[], ...string[]][] = [
  ['no size', [], 'SIZE is missing'],
  ['two sizes', ['2M', '3M'], "unexpected argument '3M'"],
  ['a size of 0', ['0'], 'at least 512 bytes'],
  ['less than nothing', ['--shrink', '-2M'], 'has 1048576 bytes', '-1048576'],
  ['what is no size', ['+much'], '"much" is not a size'],
  ['part of a sector', ['1048577'], 'not a multiple of 512', 'take 1049088'],
  ['more than can be counted', ['9000T'], '2^53'],
  ['more than can be counted, together', ['+8191T'], 'rawmount convert'],
  ['more than the tables can map', ['65T'], 'cluster_size 65536', 'table_size 4', 'rawmount convert'],
  ['less without --shrink', ['512K'], '524288', '1048576', '--shrink'],
  ['--force without --shrink', ['--force', '512K'], '--force', '--shrink'],
  ['an unknown option', ['-x', '2M'], "unknown option '-x'"],
]

for (const [what, args, ...words] of MISTAKES) {
  test(`resize is refused for ${what}, and changes nothing`, async t => {
    const work = await scratch(t)
    const image = await work.create('a.qed', '1M')
    const before = await readFile(image)
    complains(t, await work.rawmount('resize', image, ...args), ...words)
    t.true(before.equals(await readFile(image)))
  })
}

test('resize is refused for missing files, devices, formats that are only read, and raw files that nobody called raw', async t => {
  const work = await scratch(t)
  complains(t, await work.rawmount('resize', work.join('none'), '1M'), 'none', 'does not exist')
  complains(t, await work.rawmount('resize', '/dev/null', '1M'), '/dev/null', 'not a disk image')
  await writeFile(work.join('a.raw'), 'x')
  complains(t, await work.rawmount('resize', work.join('a.raw'), '1M'), '--format raw')
  complains(
    t,
    await work.rawmount('resize', '-f', 'raw', '--shrink', work.join('a.raw'), '0'),
    'at least 1 byte;',
  )
  if (lacks(t, ...QEMU)) return
  const qcow2 = await createByQemu(work, 'a.qcow2', '1M')
  complains(t, await work.rawmount('resize', qcow2, '2M'), 'qcow2', 'only read', 'qemu-img')
})

test('data behind the new end are found, named, and only cut off with --force', async t => {
  const work = await scratch(t)
  const qed = await work.create('a.qed', '4M')
  const fvd = await compact(work, 'a.fvd', '4M')
  const raw = work.join('a.raw')
  await writeFile(raw, Buffer.alloc(4 * MIB))
  for (const image of [qed, fvd, raw]) {
    const format = image.slice(-3) === 'raw' ? ['-f', 'raw'] : []
    const disk = TestDisk.open(image, { writable: true, format: image.slice(-3) })
    disk.write(2 * MIB + 700, Uint8Array.of(7, 0, 0))
    disk.close()
    const before = await readFile(image)
    complains(
      t,
      await work.rawmount('resize', ...format, '--shrink', image, '2M'),
      'data up to byte 2097853',
      'at least 2098176',
      '--force',
    )
    t.true(before.equals(await readFile(image)))
    await work.rawmounts('resize', '-q', ...format, '--shrink', image, '2098176')
    await work.rawmounts('resize', '-q', ...format, '--shrink', '--force', image, '2M')
    await work.rawmounts('resize', '-q', ...format, image, '4M')
    const grown = TestDisk.open(image, { format: image.slice(-3) })
    t.true(Buffer.alloc(4 * MIB).equals(grown.read(0, 4 * MIB)))
    grown.close()
  }
})

test('for QEMU a resized QED image is sound, has the size, and shows the same', async t => {
  if (lacks(t, ...QEMU)) return
  const work = await scratch(t)
  const qed = await createByQemu(work, 'a.qed', '16M', 'cluster_size=4K,table_size=2')
  const raw = await createByQemu(work, 'a.raw', '16M')
  for (const [image, format] of [
    [qed, 'qed'],
    [raw, 'raw'],
  ] as const) {
    await qemuIo(
      image,
      format,
      'write -P 1 0 64K',
      'write -P 2 1M 300K',
      'write -P 3 9M 1M',
      'write -P 4 2M 64K',
    )
    for (const size of ['40M', '1100K', '30M'])
      await work.rawmounts('resize', '-q', '-f', format, '--shrink', '--force', image, size)
    await qemuIo(image, format, 'write -P 5 1090K 1M', 'write -P 6 29M 1M')
    await work.rawmounts('resize', '-q', '-f', format, image, '64M')
    const info = JSON.parse(await succeed('qemu-img', 'info', '-f', format, '--output=json', image))
    t.is(info['virtual-size'], 64 * MIB)
  }
  t.regex(await succeed('qemu-img', 'check', '-f', 'qed', qed), /No errors were found/)
  await succeed('qemu-img', 'compare', '-f', 'qed', '-F', 'raw', qed, raw)
})

test('what a longer base has behind the old end of a QED image does not show in it, for QEMU either', async t => {
  if (lacks(t, ...QEMU)) return
  const work = await scratch(t)
  await writeFile(work.join('base.raw'), Buffer.alloc(8 * MIB, 9))
  const image = await createByQemu(work, 'a.qed', '8M', '', ['-b', 'base.raw', '-F', 'raw'])
  await work.rawmounts('resize', '-q', '--shrink', '--force', image, `${3 * MIB + 512}`)
  await work.rawmounts('resize', '-q', image, '6M')
  t.is(await sizeOf(work, image), 6 * MIB)
  const expected = work.join('expected.raw')
  await writeFile(expected, Buffer.concat([Buffer.alloc(3 * MIB + 512, 9), Buffer.alloc(3 * MIB - 512)]))
  await succeed('qemu-img', 'compare', '-f', 'qed', '-F', 'raw', image, expected)
  t.regex(await succeed('qemu-img', 'check', image), /No errors were found/)
})

for (const format of ['qed', 'fvd', 'raw']) {
  test(`an ext4 file system in a ${format} image grows with it`, async t => {
    if (lacks(t, ...NEEDS.kernel, 'mkfs.ext4', 'resize2fs', 'e2fsck')) return
    const work = await scratch(t)
    const image = work.join(`a.${format}`)
    const options = format === 'fvd' ? ['-o', 'compact_image=on,chunk_size=64K,journal_size=64K'] : []
    await work.rawmounts('create', '-q', '-f', format, ...options, image, '32M')
    let mounted = await work.mount(image, '--format', format)
    await succeed('mkfs.ext4', '-q', '-F', mounted.disk)
    complains(t, await work.rawmount('resize', '-f', format, image, '96M'), 'is in use by process')
    await mounted.unmount()

    await work.rawmounts('resize', '-q', '-f', format, image, '96M')
    mounted = await work.mount(image, '--format', format)
    await succeed('resize2fs', mounted.disk)
    const check = await run('e2fsck', ['-f', '-n', mounted.disk])
    t.is(check.code, 0, check.stdout)
    t.regex(await succeed('dumpe2fs', '-h', mounted.disk), /^Block count: +(98304|24576)$/m)
    // And back: the file system first.
    await run('e2fsck', ['-f', '-p', mounted.disk])
    await succeed('resize2fs', mounted.disk, '30M')
    await mounted.unmount()
    await work.rawmounts('resize', '-q', '-f', format, '--shrink', '--force', image, '32M')
    if (format !== 'raw') t.is((await work.rawmount('check', image)).code, 0)
    mounted = await work.mount(image, '--format', format)
    const again = await run('e2fsck', ['-f', '-n', mounted.disk])
    t.is(again.code, 0, again.stdout)
    await mounted.unmount()
  })
}

test('a data file that does not grow with the disk is named, with the reason and the next step', async t => {
  const work = await scratch(t)
  const data = await work.create('data.qed', '1M')
  const image = work.join('a.fvd')
  await work.rawmounts('create', '-q', '-f', 'fvd', '-o', 'data_file=data.qed,data_file_fmt=qed', image, '1M')
  const grow = () => work.rawmount('resize', '-q', image, '3M')
  complains(t, await grow(), image, data, 'does not grow', 'at least 3145728 bytes', '"rawmount resize"')
  await work.rawmounts('resize', '-q', data, '3M')
  t.is((await grow()).code, 0)
  t.is(await sizeOf(work, image), 3 * MIB)
})
