import { readFile } from 'node:fs/promises'
import test, { type ExecutionContext } from 'ava'
import { readPartitionTable } from '../../src/partitions/read-table.js'
import type { PartitionTable } from '../../src/partitions/table.js'
import { lacks, run, succeed } from '../support/tools.js'
import { blank, diskOf, MiB, partitioned, put } from './support/disks.js'

/** Tables that sfdisk and sgdisk made, as they and partx read them. */
interface SfdiskTable {
  label: string
  sectorsize: number
  partitions?: {
    node: string
    start: number
    size: number
    type: string
    uuid?: string
    name?: string
    bootable?: boolean
  }[]
}

async function agrees(t: ExecutionContext, path: string, size: number): Promise<PartitionTable> {
  const table = readPartitionTable(diskOf(t, path, size))
  const { partitiontable } = JSON.parse(await succeed('sfdisk', '--json', path)) as {
    partitiontable: SfdiskTable
  }
  const gpt = partitiontable.label === 'gpt'
  t.is(table.scheme, gpt ? 'gpt' : 'mbr')
  t.deepEqual(
    table.partitions.map(({ number, offset, size: bytes, span, type, uuid, name, bootable }) => ({
      node: `${path}${number}`,
      start: offset / 512,
      size: (span ?? bytes) / 512,
      type: gpt ? type.toUpperCase() : type.replace(/^0x0?/, ''),
      ...(gpt ? { uuid: uuid!.toUpperCase(), ...(name === '' ? {} : { name }) } : {}),
      ...(bootable && !gpt ? { bootable } : {}),
    })),
    (partitiontable.partitions ?? []).map(({ node, start, size: sectors, type, uuid, name, bootable }) => ({
      node,
      start,
      size: sectors,
      type,
      ...(uuid === undefined ? {} : { uuid }),
      ...(name === undefined ? {} : { name }),
      ...(bootable === undefined ? {} : { bootable }),
    })),
  )
  const { stdout } = await run('partx', ['-o', 'NR,START,SECTORS', '--raw', '--noheadings', path])
  t.deepEqual(
    table.partitions.map(
      ({ number, offset, size: bytes, span }) => `${number} ${offset / 512} ${(span ?? bytes) / 512}`,
    ),
    stdout.trim() === '' ? [] : stdout.trim().split('\n'),
  )
  return table
}

test('primary partitions of an MBR are those that sfdisk and partx see', async t => {
  if (lacks(t, 'sfdisk', 'partx')) return
  const path = await partitioned(
    t,
    64 * MiB,
    'label: dos\nlabel-id: 0x12ab34cd\n2048,8192,83,*\n10240,4096,82\n,,c\n',
  )
  const table = await agrees(t, path, 64 * MiB)
  t.deepEqual(table.warnings, [])
  t.deepEqual(
    table.partitions.map(({ uuid, typeName, bootable }) => [uuid, typeName, bootable]),
    [
      ['12ab34cd-01', 'Linux', true],
      ['12ab34cd-02', 'Linux swap', false],
      ['12ab34cd-03', 'FAT32, LBA', false],
    ],
  )
})

test('logical partitions are numbered from 5, and the extended one is a device of two sectors', async t => {
  if (lacks(t, 'sfdisk', 'partx')) return
  const script = 'label: dos\n2048,8192,83\n,,5\n'
  const path = await partitioned(t, 128 * MiB, `${script}${Array(12).fill(',4096,83').join('\n')}\n`)
  const table = await agrees(t, path, 128 * MiB)
  t.deepEqual(table.warnings, [])
  t.is(table.partitions.length, 14)
  t.like(table.partitions[1], { number: 2, size: 1024, typeName: 'extended' })
  t.like(table.partitions[2], { number: 5, size: 4096 * 512, span: null })
  // Each link of the chain may be written, and nothing else needs to be looked at.
  for (const { offset, number } of table.partitions) {
    if (number < 5) continue
    t.true(table.watched.some(({ start, end }) => start <= offset - MiB && offset - MiB < end))
    t.false(table.watched.some(({ start, end }) => start <= offset && offset < end))
  }
})

test('a logical partition that was deleted does not hide those after it', async t => {
  if (lacks(t, 'sfdisk', 'partx')) return
  const path = await partitioned(t, 64 * MiB, 'label: dos\n,,5\n,4096,83\n,4096,83\n,4096,83\n')
  await succeed('sfdisk', '--no-reread', '--no-tell-kernel', '--delete', path, '6')
  const table = await agrees(t, path, 64 * MiB)
  t.deepEqual(
    table.partitions.map(({ number }) => number),
    [1, 5, 6],
  )
})

test('a GPT is what sfdisk and partx see, names and unused numbers included', async t => {
  if (lacks(t, 'sfdisk', 'sgdisk', 'partx')) return
  const path = await blank(t, 64 * MiB)
  await succeed(
    'sgdisk',
    '-n',
    '1:2048:+1M',
    '-t',
    '1:ef00',
    '-c',
    '1:EFI system partition',
    '-n',
    '5:0:+4M',
    '-c',
    '5:Größe, 漢字 💾',
    '-A',
    '5:set:0',
    '-A',
    '5:set:60',
    '-n',
    '9:0:0',
    '-t',
    '9:8200',
    '-A',
    '9:set:2',
    path,
  )
  const table = await agrees(t, path, 64 * MiB)
  t.is(table.source, 'primary')
  t.deepEqual(table.warnings, [])
  t.deepEqual(
    table.partitions.map(({ number, typeName, name, bootable, attributes }) => ({
      number,
      typeName,
      name,
      bootable,
      attributes,
    })),
    [
      { number: 1, typeName: 'EFI system', name: 'EFI system partition', bootable: false, attributes: [] },
      {
        number: 5,
        typeName: 'Linux filesystem',
        name: 'Größe, 漢字 💾',
        bootable: false,
        attributes: ['required', 'bit 60'],
      },
      { number: 9, typeName: 'Linux swap', name: 'Linux swap', bootable: true, attributes: [] },
    ].map(expected => (expected.number === 9 ? { ...expected, name: table.partitions[2]!.name } : expected)),
  )
  t.deepEqual(table.watched, [{ start: 0, end: 34 * 512 }])
})

test('the backup of a GPT serves where the primary is damaged, as with partx', async t => {
  if (lacks(t, 'sfdisk', 'sgdisk', 'partx')) return
  for (const [damage, at, words] of [
    ['no signature', 512, 'is missing'],
    ['a wrong checksum', 512 + 56, 'does not match its checksum'],
    ['a wrong entry', 1024 + 40, 'has entries that do not match their checksum'],
  ] as const) {
    const path = await blank(t, 32 * MiB)
    await succeed('sgdisk', '-n', '1:2048:+1M', '-n', '2:0:+4M', path)
    const before = readPartitionTable(diskOf(t, path, 32 * MiB))
    await put(path, at, [0x5a])
    const table = await agrees(t, path, 32 * MiB)
    t.is(table.source, 'backup', damage)
    t.deepEqual(table.partitions, before.partitions)
    t.deepEqual(table.warnings, [
      `the GPT in sector 1 ${words}; its backup in sector ${32 * 2048 - 1} is used ('sgdisk' repairs it)`,
    ])
    // Who repairs either of them is seen.
    t.is(table.watched.at(-1)!.end, 32 * MiB)
  }
})

test('a hybrid MBR leads to the GPT', async t => {
  if (lacks(t, 'sgdisk')) return
  const path = await blank(t, 32 * MiB)
  await succeed('sgdisk', '-n', '1:2048:+1M', '-n', '2:0:+4M', path)
  await succeed('sgdisk', '-h', '2', path)
  const table = readPartitionTable(diskOf(t, path, 32 * MiB))
  t.is(table.scheme, 'gpt')
  t.deepEqual(
    table.partitions.map(({ number }) => number),
    [1, 2],
  )
  t.deepEqual(table.warnings, ['the MBR is a hybrid one; its partitions are taken from the GPT alone'])
})

test('the boot sector of a FAT file system is no partition table', async t => {
  if (lacks(t, 'mformat')) return
  const path = await blank(t, 16 * MiB)
  await succeed('mformat', '-i', path, '-h', '16', '-s', '63', '-t', '32', '::')
  t.is((await readFile(path)).readUInt16LE(510), 0xaa55)
  t.like(readPartitionTable(diskOf(t, path, 16 * MiB)), { scheme: 'none', partitions: [], warnings: [] })
})
