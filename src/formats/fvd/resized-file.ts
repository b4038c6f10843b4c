import { errno, SystemError } from '../../libc/errno.js'
import { IoBuffer } from '../../libc/io-buffer.js'
import type { StorageFile } from '../../storage/storage-file.js'
import { Geometry } from './geometry.js'
import type { FvdHeader } from './header.js'
import { EMPTY, ENTRY_LENGTH, SECTOR } from './layout.js'
import { loadTable } from './load.js'
import { NO_STORAGE } from './survey.js'

/** Bytes that one write takes at most. */
const PIECE = 1 << 20

/** An FVD image while its size changes: one that was closed cleanly, and that nobody else has open. */
export class ResizedFile {
  readonly geometry: Geometry
  /** As survey.ts has entries; empty for a flat image. */
  readonly table: Uint32Array

  constructor(
    /** Has header, bitmap, table and journal. */
    readonly file: StorageFile,
    /** Has the data: the same file, or the data file. */
    readonly data: StorageFile,
    readonly header: FvdHeader,
  ) {
    this.geometry = new Geometry(header.shape)
    this.table = new Uint32Array(this.geometry.chunks)
    loadTable(file, this.geometry, this.table)
  }

  /** Where the storage of an entry of `table` begins, in `data`. */
  storageOf(entry: number): number {
    return this.header.shape.dataOffset + (entry - 1) * this.geometry.chunkSize
  }

  /** Durable when it returns. */
  wipeJournal(): void {
    const { file, geometry, header } = this
    if (geometry.journalSectors === 0) return
    file.zero(header.shape.journalOffset, geometry.journalSectors * SECTOR)
    file.sync()
  }

  /** What is stored of [from, to) reads as zeros; of a compact image only as far as the chunk goes that `from` cuts. */
  zeroBehind(from: number, to: number): void {
    const { data, geometry, header } = this
    const { chunkSize, compact } = geometry
    if (!compact) {
      const start = header.shape.dataOffset + from
      const end = Math.min(data.size(), header.shape.dataOffset + to)
      if (end > start) data.zero(start, end - start)
      return
    }
    const within = from % chunkSize
    const entry = within === 0 ? NO_STORAGE : this.table[Math.floor(from / chunkSize)]!
    if (entry !== NO_STORAGE) data.zero(this.storageOf(entry) + within, chunkSize - within)
  }

  /** Entries of a table at `offset` in the file: `entries` from chunk `first` on, and then empty ones up to `end`. */
  writeTable(offset: number, first: number, entries: Uint32Array, end: number): void {
    const perPiece = PIECE / ENTRY_LENGTH
    const buffer = new IoBuffer(Math.min(PIECE, Math.max(1, end - first) * ENTRY_LENGTH))
    for (let at = first; at < end; at += perPiece) {
      const count = Math.min(perPiece, end - at)
      for (let i = 0; i < count; i++) {
        const entry = entries[at - first + i] ?? NO_STORAGE
        buffer.view.setUint32(i * ENTRY_LENGTH, entry === NO_STORAGE ? EMPTY : entry - 1, true)
      }
      this.file.write(buffer, 0, count * ENTRY_LENGTH, offset + at * ENTRY_LENGTH)
    }
  }

  /** Cuts `data` off; what cannot change its length, a device or an image, reads as zeros from there on. */
  cutData(end: number): void {
    const { data } = this
    const size = data.size()
    if (size <= end) return
    try {
      data.truncate(end)
    } catch (error) {
      if (!isFixedSize(error)) throw error
      data.zero(end, size - end)
    }
  }
}

/** Why what isFixedSize() is about does not grow. */
export const FIXED = 'a device, or an image of another format, does not grow with the disk on it'

/** The answer of a device, or of an image that has the data, to a change of its length. */
export function isFixedSize(error: unknown): error is SystemError {
  return error instanceof SystemError && error.errno === errno.EINVAL
}
