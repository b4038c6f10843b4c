import type { Disk } from '../../disk/disk.js'
import { IoBuffer } from '../../libc/io-buffer.js'
import { readPartitionTable } from '../../partitions/read-table.js'
import type { DiskBytes, PartitionTable } from '../../partitions/table.js'
import { tracer } from '../../trace.js'
import type { ChangingFiles, FileNode } from '../nodes.js'
import type { WindowSlot } from './window-slot.js'
import type { WindowTable } from './window-table.js'

const debug = tracer('mount')

const NAME = /^p([1-9]\d{0,2})\.raw$/

/** How often a table is read again that changes while it is read. */
const ATTEMPTS = 8

export function partitionFileName(number: number): string {
  return `p${number}.raw`
}

/**
 * p1.raw, p2.raw and so on of one image, in one thread: the partitions of the disk as its table is now. It is
 * read when it is first asked for, which may need the base, and again when what it depends on was written.
 *
 * Reading holds no lock: the version of the table is taken first, and what was read is listed under that
 * version unless somebody listed a newer one. What it depends on must have been watched while it was read, so
 * it is read again when that was found out only then.
 */
export class PartitionFiles implements ChangingFiles {
  private readonly files = new Map<number, FileNode>()
  private last: PartitionTable | null = null
  private lastVersion = 0

  constructor(
    private readonly table: WindowTable,
    private readonly disk: () => Disk,
    private readonly make: (name: string, slot: WindowSlot) => FileNode,
  ) {}

  lookup(name: string): number {
    const number = Number(NAME.exec(name)?.[1] ?? 0)
    if (number === 0) return 0
    this.refresh()
    return this.table.listed().find(slot => slot.number === number)?.id ?? 0
  }

  /** A table that cannot be read must not hide the files beside: they are listed as they were. */
  list(): number[] {
    try {
      this.refresh()
    } catch (error) {
      debug('the partition table cannot be read: %O', error)
    }
    return this.table.listed().map(({ id }) => id)
  }

  file(id: number): FileNode | null {
    const known = this.files.get(id)
    if (known !== undefined && this.table.isKnown(id)) return known
    this.files.delete(id)
    const slot = this.table.find(id)
    if (slot === null) return null
    this.forget()
    const file = this.make(partitionFileName(slot.number), slot)
    this.files.set(id, file)
    return file
  }

  /** The table as it is now. Throws what reading the disk throws. */
  current(): PartitionTable {
    const { table } = this
    if (this.last !== null && this.lastVersion === table.version()) return this.last
    for (let attempt = 1; ; attempt++) {
      const version = table.version()
      const read = readPartitionTable(bytesOf(this.disk()))
      const watched = table.watch(read.watched)
      if (!watched && attempt < ATTEMPTS) continue
      table.list(version, read.partitions)
      this.last = read
      this.lastVersion = version
      return read
    }
  }

  private refresh(): void {
    if (this.table.version() !== this.table.versionListed) this.current()
  }

  private forget(): void {
    for (const id of this.files.keys()) if (!this.table.isKnown(id)) this.files.delete(id)
  }
}

function bytesOf(disk: Disk): DiskBytes {
  return {
    size: disk.size,
    read(offset, length) {
      const buffer = new IoBuffer(length)
      disk.read(offset, length, buffer, 0)
      return buffer.bytes
    },
  }
}
