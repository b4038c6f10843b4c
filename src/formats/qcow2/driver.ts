import type { StorageFile } from '../../storage/storage-file.js'
import { type FormatDriver, type Mapping, Where } from '../driver.js'
import { corruptAt } from './complaints.js'
import { COMPRESSED, decodeL2Entry, INVALID, UNALLOCATED, ZERO } from './entries.js'
import { Geometry, type Shape } from './geometry.js'
import { InflatedFile } from './inflated-file.js'
import { L2Cache } from './l2-cache.js'
import { ENTRY_LENGTH } from './layout.js'

/** What the threads that serve one image have in common. Nothing in it changes after it was made. */
export interface Qcow2Description {
  readonly shape: Shape
  /** A Float64Array: the cluster of each L2 table, or a marker of entries.ts. */
  readonly l1: SharedArrayBuffer
  /** Bytes of L2 tables that each thread keeps. */
  readonly cacheBytes: number
}

/** Translates guest offsets; one object per thread, its cache of L2 tables its own. */
export class Qcow2Driver implements FormatDriver {
  readonly format = 'qcow2'
  readonly endsEarly = true
  readonly size: number
  private readonly geometry: Geometry
  private readonly l1: Float64Array
  private readonly tables: L2Cache
  private readonly inflated: InflatedFile

  constructor(
    description: Qcow2Description,
    private readonly file: StorageFile,
  ) {
    this.geometry = new Geometry(description.shape)
    this.size = this.geometry.size
    this.l1 = new Float64Array(description.l1)
    this.tables = new L2Cache(file, this.geometry, this.l1, description.cacheBytes)
    this.inflated = new InflatedFile(file, this.geometry, this.tables)
  }

  /** A run ends at the latest where a slice of 2048 entries does. Throws ImageError CORRUPT for an entry that cannot be. */
  map(offset: number, length: number, run: Mapping): void {
    const { geometry, tables } = this
    const { clusterSize, sliceSpan } = geometry
    if (!(offset >= 0 && offset < this.size))
      throw new RangeError(`offset ${offset} is not below ${this.size}`)
    const span = Math.min(length, this.size - offset)
    const at = tables.locate(offset)
    run.file = null
    if (at < 0) {
      run.where = Where.absent
      run.length = Math.min(span, this.emptyTablesEnd(offset, span) - offset)
      return
    }
    const within = offset % clusterSize
    const rest = Math.min(within + span, within + sliceSpan - (offset % sliceSpan))
    const entry = decodeL2Entry(tables.view, at, geometry)
    if (entry === INVALID) throw corruptAt(this.file, 'the L2 table entry points nowhere', offset)
    const count = this.countAlike(at, entry, Math.ceil(rest / clusterSize))
    run.length = Math.min(rest, count * clusterSize) - within
    if (entry === UNALLOCATED) run.where = Where.absent
    else if (entry === ZERO) run.where = Where.zero
    else {
      run.where = Where.data
      run.file = entry === COMPRESSED ? this.inflated : this.file
      run.offset = entry === COMPRESSED ? offset : entry * clusterSize + within
    }
  }

  /** Clusters from `at` on, at most `wanted`, that go on as `entry` begins: of its kind, and data in one piece. */
  private countAlike(at: number, entry: number, wanted: number): number {
    const { geometry, tables } = this
    const step = entry > 0 ? 1 : 0
    let count = 1
    while (
      count < wanted &&
      decodeL2Entry(tables.view, at + count * ENTRY_LENGTH, geometry) === entry + step * count
    ) {
      count++
    }
    return count
  }

  private emptyTablesEnd(offset: number, span: number): number {
    const { tableSpan } = this.geometry
    let end = Math.floor(offset / tableSpan) + 1
    while (end * tableSpan < offset + span && this.l1[end] === UNALLOCATED) end++
    return end * tableSpan
  }
}
