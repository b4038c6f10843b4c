import { ImageError } from '../../errors.js'
import * as atomics from '../../shared/atomics.js'
import type { StorageFile } from '../../storage/storage-file.js'
import { type FormatDriver, type Mapping, Where } from '../driver.js'
import { INVALID, UNALLOCATED, ZERO } from './entries.js'
import type { Geometry } from './geometry.js'
import { L2Cache } from './l2-cache.js'
import type { QedState } from './state.js'

/** Translates guest offsets; one object per thread over a state that all threads share. */
export class QedDriver implements FormatDriver {
  readonly format = 'qed'
  readonly endsEarly = true
  readonly size: number
  protected readonly geometry: Geometry
  protected readonly file: StorageFile
  protected readonly cache: L2Cache
  /** What scan() found: the first entry, and how many clusters go on from it. */
  private entry = UNALLOCATED
  private count = 0

  constructor(readonly state: QedState) {
    this.geometry = state.geometry
    this.file = state.file
    this.size = state.geometry.size
    this.cache = new L2Cache(state)
  }

  /** A run ends at the latest where a slice of 2048 entries does. Throws ImageError CORRUPT for an entry that cannot be. */
  map(offset: number, length: number, run: Mapping): void {
    const { clusterSize, sliceEntries, sliceSpan, slicesPerTable } = this.geometry
    if (!(offset >= 0 && offset < this.size))
      throw new RangeError(`offset ${offset} is not below ${this.size}`)
    const span = Math.min(length, this.size - offset)
    const slice = Math.floor(offset / sliceSpan)
    const l1Index = Math.floor(slice / slicesPerTable)
    const table = atomics.loadUnsigned(this.state.l1, l1Index)
    if (table === UNALLOCATED) {
      this.mapEmptyTables(l1Index, offset, span, run)
      return
    }
    if (table === INVALID) throw this.corrupt('L1', offset)
    const within = offset % clusterSize
    const first = Math.floor((offset - slice * sliceSpan) / clusterSize)
    const wanted = Math.min(Math.ceil((within + span) / clusterSize), sliceEntries - first)
    this.lookUp(slice, table, first, wanted)

    if (this.entry === INVALID) throw this.corrupt('L2', offset)
    run.length = Math.min(span, this.count * clusterSize - within)
    if (this.entry === UNALLOCATED || this.entry === ZERO) {
      run.where = this.entry === ZERO ? Where.zero : Where.absent
      run.file = null
      return
    }
    run.where = Where.data
    run.file = this.file
    run.offset = this.entry * clusterSize + within
  }

  private mapEmptyTables(l1Index: number, offset: number, span: number, run: Mapping): void {
    const { l1 } = this.state
    const tableSpan = this.geometry.tableEntries * this.geometry.clusterSize
    let end = l1Index + 1
    while (end * tableSpan < offset + span && atomics.loadUnsigned(l1, end) === UNALLOCATED) end++
    run.where = Where.absent
    run.file = null
    run.length = Math.min(span, end * tableSpan - offset)
  }

  private lookUp(slice: number, table: number, first: number, wanted: number): void {
    const { cache } = this
    const slot = cache.find(slice)
    if (slot >= 0) {
      const generation = cache.generation(slot)
      this.scan(slot, first, wanted)
      if (cache.holds(slot, slice, generation)) return
    }
    this.state.mutex.lock()
    try {
      this.scan(cache.fetch(slice, table), first, wanted)
    } finally {
      this.state.mutex.unlock()
    }
  }

  private scan(slot: number, first: number, wanted: number): void {
    const { cache } = this
    const entry = cache.entry(slot, first)
    const step = entry === UNALLOCATED || entry === ZERO || entry === INVALID ? 0 : 1
    let count = 1
    while (count < wanted && cache.entry(slot, first + count) === entry + step * count) count++
    this.entry = entry
    this.count = count
  }

  protected corrupt(table: string, offset: number): ImageError {
    return new ImageError(
      'CORRUPT',
      `${this.file.path}: the ${table} table entry for guest offset ${offset} points nowhere; run "rawmount check" on the image`,
    )
  }
}
