import type { Coherence, OutdatedPart } from '../nodes.js'
import type { FileCells } from './file-cells.js'
import type { WindowSlot } from './window-slot.js'
import { WHOLE_DISK, type WindowTable } from './window-table.js'
import type { WrittenParts } from './written-parts.js'

/** The name of the file that is the whole disk. */
export const DISK_NAME = 'disk.raw'

/**
 * The part of the disk that a file shows, in one thread, and what other files of the same disk must know of it:
 * that the partition table was written, and what the kernel may have outdated pages of.
 *
 * The kernel has a page cache for each file. What was written through one is in its pages, and in ours; the
 * others' pages are as they were. Coherent they need not be, no more than those of a disk and of its partitions
 * on Linux; but who was told by fsync or close that his write is done may expect it to be seen. So parts are
 * marked as they are written, and before FSYNC or FLUSH is answered the pages of all other files of these parts
 * are dropped.
 */
export class SharedWindow implements Coherence {
  readonly offset: number
  readonly size: number
  readonly cells: FileCells
  private readonly written: WrittenParts

  constructor(
    private readonly table: WindowTable,
    private readonly slot: WindowSlot,
  ) {
    this.offset = slot.offset
    this.size = slot.size
    this.cells = slot.cells()
    this.written = slot.written(table.wholeDisk.size)
  }

  /** To be called before a handle is given out. */
  opened(): void {
    this.table.markOpened(this.slot)
  }

  /** [start, end) of the disk was written through this file, and is on the disk. */
  wrote(start: number, end: number): void {
    const { table } = this
    // A partition that is opened after this look reads what was written before it.
    if (table.isShared) this.written.mark(start, end)
    if (table.watched.overlap(start, end)) table.changed()
  }

  /**
   * Also while others drop what was written through this file: who finds nothing to drop must wait until they
   * have.
   */
  outdates(): boolean {
    return this.table.isShared && (this.written.any || this.table.isTaking)
  }

  take(): readonly OutdatedPart[] {
    this.table.beginTaking()
    const borders = this.written.take()
    const parts: OutdatedPart[] = []
    for (const other of this.table.opened()) {
      if (other.id === this.slot.id) continue
      const file = other.id === WHOLE_DISK ? DISK_NAME : other.id
      for (let i = 0; i < borders.length; i += 2) {
        const start = Math.max(borders[i]!, this.offset, other.offset)
        const end = Math.min(borders[i + 1]!, this.offset + this.size, other.offset + other.size)
        if (start < end) parts.push({ file, offset: start - other.offset, length: end - start })
      }
    }
    return parts
  }

  dropped(): void {
    this.table.endTaking()
  }
}
