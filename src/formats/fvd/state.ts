import * as atomics from '../../shared/atomics.js'
import { Mutex } from '../../shared/mutex.js'
import type { StorageFile } from '../../storage/storage-file.js'
import { bitWords } from './bits.js'
import { Geometry, type Shape } from './geometry.js'
import { ENTRIES_PER_SECTOR, ID_LIMIT, SECTOR } from './layout.js'

/**
 * What the threads that serve one FVD image share, in SharedArrayBuffers:
 *
 *   control        the mutex, the allocation pointer, the journal's cursor (Word)
 *   table          chunk → id + 1 of its storage, 0 = none (survey.ts); goes from none to some only
 *   bitmap         block → is it in the image; goes from clear to set only
 *   savedTable     the same as the commits have made them: what the file shows after a replay of its journal,
 *   savedBitmap      or will when the running commit is done
 *   *Changed       a bit per sector (of the area in the file) in which table or bitmap may differ from what is saved
 *   *Stale         a bit per sector in which the area in the file may differ from what is saved
 *   gaps           storage below the allocation pointer that no entry names: pairs of first id and count
 *
 * Readers take no lock. All changes are made under the mutex, but for the saved half, which belongs to who commits.
 * What is only read has no saved half.
 */
export interface FvdDescription {
  readonly shape: Shape
  readonly writable: boolean
  /** The shell command that makes room for data; empty when there is none, or it is not allowed. */
  readonly growCommand: string
  readonly control: SharedArrayBuffer
  readonly table: SharedArrayBuffer
  readonly bitmap: SharedArrayBuffer
  readonly savedTable: SharedArrayBuffer
  readonly savedBitmap: SharedArrayBuffer
  readonly tableChanged: SharedArrayBuffer
  readonly tableStale: SharedArrayBuffer
  readonly bitmapChanged: SharedArrayBuffer
  readonly bitmapStale: SharedArrayBuffer
  readonly gaps: SharedArrayBuffer
}

/** Words of `control`. The mutex has a cache line of its own. */
export const Word = {
  mutex: 0,
  /** The next chunk id that was never handed out. */
  next: 32,
  /** The file holds the storage of ids below this. */
  capacity: 33,
  /** Storage of ids from `zeroed` up to `used` may hold old bytes; `used` is where the file once ended. */
  zeroed: 34,
  used: 39,
  /** Where the next gap is in `gaps`. */
  gap: 35,
  /** Sectors marked in tableChanged and bitmapChanged. */
  changed: 36,
  /** The journal's next sector. */
  cursor: 37,
  /** The journal's sectors up to here were written in this session. */
  written: 41,
  /** 1: the journal lacks what a commit failed to write; bitmap and table must be written in place. */
  behind: 38,
  /** 1: the header says that the image is not closed cleanly. */
  unclean: 40,
  length: 48,
} as const

/** Makes the shared memory; load.ts fills it. */
export function describeState(shape: Shape, writable: boolean, growCommand: string): FvdDescription {
  const geometry = new Geometry(shape)
  const memory = (bytes: number) => new SharedArrayBuffer(bytes)
  const table = geometry.tableSectors * SECTOR
  const bitmap = geometry.bitmapSectors * SECTOR
  const saved = writable ? 1 : 0
  const sectorBits = (sectors: number) => memory(saved * bitWords(sectors) * 4)
  return {
    shape,
    writable,
    growCommand,
    control: memory(Word.length * 4),
    table: memory(table),
    bitmap: memory(bitmap),
    savedTable: memory(saved * table),
    savedBitmap: memory(saved * bitmap),
    tableChanged: sectorBits(geometry.tableSectors),
    tableStale: sectorBits(geometry.tableSectors),
    bitmapChanged: sectorBits(geometry.bitmapSectors),
    bitmapStale: sectorBits(geometry.bitmapSectors),
    gaps: memory(0),
  }
}

/** One thread's view of a description. */
export class FvdState {
  readonly geometry: Geometry
  readonly control: Int32Array
  readonly table: Uint32Array
  readonly bitmap: Int32Array
  readonly savedTable: Uint32Array
  readonly savedBitmap: Int32Array
  readonly tableChanged: Int32Array
  readonly tableStale: Int32Array
  readonly bitmapChanged: Int32Array
  readonly bitmapStale: Int32Array
  readonly gaps: Uint32Array
  readonly mutex: Mutex

  constructor(
    readonly description: FvdDescription,
    /** Has header, bitmap, table and journal. */
    readonly file: StorageFile,
    /** Has the data: the same file, or the data file. */
    readonly data: StorageFile,
  ) {
    this.geometry = new Geometry(description.shape)
    this.control = new Int32Array(description.control)
    this.table = new Uint32Array(description.table)
    this.bitmap = new Int32Array(description.bitmap)
    this.savedTable = new Uint32Array(description.savedTable)
    this.savedBitmap = new Int32Array(description.savedBitmap)
    this.tableChanged = new Int32Array(description.tableChanged)
    this.tableStale = new Int32Array(description.tableStale)
    this.bitmapChanged = new Int32Array(description.bitmapChanged)
    this.bitmapStale = new Int32Array(description.bitmapStale)
    this.gaps = new Uint32Array(description.gaps)
    this.mutex = new Mutex(this.control, Word.mutex, `metadata of ${file.path}`)
  }

  /** Where the storage of chunk id `id` begins, in `data`. */
  storageOf(id: number): number {
    return this.description.shape.dataOffset + id * this.geometry.chunkSize
  }

  /** Bytes that `data` has behind the start of the data. */
  get room(): number {
    return Math.max(0, this.data.size() - this.description.shape.dataOffset)
  }

  /** Whole chunks in that room, at most as many as there can be ids. */
  get capacity(): number {
    return Math.min(Math.floor(this.room / this.geometry.chunkSize), ID_LIMIT)
  }

  /** The same with the chunk that the end of the file cuts. */
  get begunChunks(): number {
    return Math.min(Math.ceil(this.room / this.geometry.chunkSize), ID_LIMIT)
  }

  /** Changes that are not saved, in sectors; at least 1 when a failed commit left something to do. */
  pending(): number {
    return atomics.load(this.control, Word.changed) + atomics.load(this.control, Word.behind)
  }
}

/** The sector of the table, and of the bitmap, in which an entry or bit lies. */
export function sectorOfChunk(chunk: number): number {
  return Math.floor(chunk / ENTRIES_PER_SECTOR)
}

export function sectorOfBlock(block: number): number {
  return Math.floor(block / (SECTOR * 8))
}
