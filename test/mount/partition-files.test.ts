import test from 'ava'
import type { Disk } from '../../src/disk/disk.js'
import type { IoBuffer } from '../../src/libc/io-buffer.js'
import type { FileNode } from '../../src/mount/nodes.js'
import { PartitionFiles } from '../../src/mount/partition-files/partition-files.js'
import { renderPartitions } from '../../src/mount/partition-files/partitions-text.js'
import { WindowTable } from '../../src/mount/partition-files/window-table.js'
import { bootRecord } from '../partitions/support/disks.js'

const MiB = 1024 * 1024

/** A disk of 64 MiB of which only the first sector is not zero; counts who reads that. */
class SmallDisk {
  readonly size = 64 * MiB
  readonly tables = new WindowTable(WindowTable.allocate(this.size, 0))
  reads = 0
  fails = false
  /** Called while the first sector is being read. */
  meanwhile = (): void => {}

  constructor(public sector: Uint8Array) {}

  read(offset: number, length: number, buffer: IoBuffer, at: number): void {
    if (this.fails) throw new Error('the base has gone')
    buffer.bytes.fill(0, at, at + length)
    if (offset > 0) return
    this.reads++
    buffer.bytes.set(this.sector.subarray(0, length), at)
    this.meanwhile()
  }

  /** As a thread of its own has them. */
  files(): PartitionFiles {
    return new PartitionFiles(
      this.tables,
      () => this as unknown as Disk,
      name => ({ name }) as FileNode,
    )
  }
}

function names(files: PartitionFiles): string[] {
  return files.list().map(id => files.file(id)!.name)
}

test('the table is read when it is first asked for, and again only when it was written', t => {
  const disk = new SmallDisk(bootRecord([0, 0x83, 2048, 2048], [0, 0x82, 8192, 2048]))
  const files = disk.files()
  t.is(files.lookup('disk.raw'), 0)
  t.is(files.lookup('p1.rawx'), 0)
  t.is(disk.reads, 0)
  t.deepEqual(names(files), ['p1.raw', 'p2.raw'])
  const { reads } = disk
  t.not(files.lookup('p2.raw'), 0)
  t.is(files.lookup('p3.raw'), 0)
  t.is(disk.files().list().length, 2)
  t.is(disk.reads, reads)
  disk.sector = bootRecord([0, 0x83, 2048, 2048])
  disk.tables.changed()
  t.deepEqual(names(files), ['p1.raw'])
  t.is(disk.reads, reads + 1)
})

test('a table that changes while it is read is read again', t => {
  const disk = new SmallDisk(bootRecord([0, 0x83, 2048, 2048]))
  const files = disk.files()
  files.list()
  disk.tables.changed()
  disk.meanwhile = () => {
    disk.meanwhile = () => {}
    disk.sector = bootRecord([0, 0x83, 2048, 2048], [0, 0x82, 8192, 2048])
    disk.tables.changed()
  }
  files.list()
  t.deepEqual(names(files), ['p1.raw', 'p2.raw'])
})

test('a table that cannot be read hides nothing that was there, and says so', t => {
  const disk = new SmallDisk(bootRecord([0, 0x83, 2048, 2048]))
  const files = disk.files()
  disk.fails = true
  t.deepEqual(files.list(), [])
  t.throws(() => files.lookup('p1.raw'), { message: 'the base has gone' })
  t.deepEqual(JSON.parse(renderPartitions(() => files.current())).warnings, [
    'the partition table cannot be read: the base has gone',
  ])
  disk.fails = false
  t.deepEqual(names(files), ['p1.raw'])
  disk.tables.changed()
  disk.fails = true
  t.deepEqual(names(files), ['p1.raw'])
})

test('partitions.json names the file of each partition, and not where the table lies', t => {
  const disk = new SmallDisk(bootRecord([0x80, 0x83, 2048, 2048]))
  const text = renderPartitions(() => disk.files().current())
  t.deepEqual(JSON.parse(text), {
    scheme: 'mbr',
    sectorSize: 512,
    source: 'primary',
    partitions: [
      {
        file: 'p1.raw',
        number: 1,
        offset: MiB,
        size: MiB,
        type: '0x83',
        typeName: 'Linux',
        name: null,
        uuid: null,
        bootable: true,
        attributes: [],
        span: null,
      },
    ],
    warnings: [],
  })
})
