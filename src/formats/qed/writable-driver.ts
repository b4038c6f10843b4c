import { errno, SystemError } from '../../libc/errno.js'
import * as atomics from '../../shared/atomics.js'
import type { Place, WritableDriver } from '../driver.js'
import { QedCommit } from './commit.js'
import { QedDriver } from './driver.js'
import { CLUSTER_LIMIT, INVALID, UNALLOCATED, ZERO } from './entries.js'
import { Link, type QedState, Word } from './state.js'

/**
 * Allocates clusters at the end of the file, and changes L2 entries in the cache; commit.ts brings them to the
 * file. What is handed out in one call lies within one slice, so that publish() either happens whole or not at all.
 *
 * When the cache has no room for another dirty slice, whoever publishes has a commit made first, with no mutex held.
 */
export class WritableQedDriver extends QedDriver implements WritableDriver {
  readonly grain: number
  commitForRoom = (): void => this.commit()
  private readonly committer: QedCommit

  constructor(state: QedState) {
    super(state)
    this.grain = this.geometry.clusterSize
    this.committer = new QedCommit(state)
  }

  /** `offset` starts a cluster. Throws a SystemError ENOSPC when the file has as many clusters as it may. */
  allocate(offset: number, length: number, place: Place): void {
    const { clusterSize, sliceSpan } = this.geometry
    this.checkAligned(offset)
    const span = Math.min(length, this.size - offset, sliceSpan - (offset % sliceSpan))
    const { numbers, mutex } = this.state
    mutex.lock()
    try {
      const next = atomics.loadUnsigned(numbers, Word.next)
      const high = atomics.loadUnsigned(numbers, Word.high)
      const fresh = next >= high
      let count = Math.ceil(span / clusterSize)
      // What was handed out before and taken back comes alone: `fresh` is one answer for the whole place.
      if (!fresh) count = Math.min(count, high - next)
      this.handOut(next, count)
      place.file = this.file
      place.offset = next * clusterSize
      place.length = Math.min(span, count * clusterSize)
      place.fresh = fresh
    } finally {
      mutex.unlock()
    }
  }

  /** Throws ENOSPC or EIO before anything was changed. */
  publish(offset: number, place: Place): void {
    this.checkAligned(offset)
    this.change(offset, place.length, place.offset / this.geometry.clusterSize, 1)
  }

  publishZeros(offset: number, length: number): void {
    this.checkAligned(offset)
    const { sliceSpan } = this.geometry
    const end = offset + length
    for (let at = offset; at < end; ) {
      const span = Math.min(end - at, sliceSpan - (at % sliceSpan))
      this.change(at, span, ZERO, 0)
      at += span
    }
  }

  /** The last that was handed out is handed out again; anything else is lost to the file, a leaked cluster. */
  abandon(place: Place): void {
    const { clusterSize } = this.geometry
    const first = place.offset / clusterSize
    const { numbers, mutex } = this.state
    mutex.lock()
    const isLast = first + Math.ceil(place.length / clusterSize) === atomics.loadUnsigned(numbers, Word.next)
    if (isLast) atomics.storeUnsigned(numbers, Word.next, first)
    mutex.unlock()
  }

  pending(): number {
    return this.state.pending()
  }

  commit(): void {
    this.committer.run()
  }

  finish(): void {
    this.committer.finish()
  }

  private change(offset: number, length: number, cluster: number, step: number): void {
    const { geometry, cache, state } = this
    const slice = Math.floor(offset / geometry.sliceSpan)
    const first = Math.floor((offset - slice * geometry.sliceSpan) / geometry.clusterSize)
    const count = Math.ceil(length / geometry.clusterSize)
    for (;;) {
      state.mutex.lock()
      try {
        const slot = this.slotToChange(slice, offset)
        if (slot >= 0) {
          for (let i = 0; i < count; i++) cache.set(slot, first + i, cluster + step * i)
          return
        }
      } finally {
        state.mutex.unlock()
      }
      this.commitForRoom()
    }
  }

  /** Cached, and dirty or allowed to become so, its table allocated; -1 when a commit must make room first. */
  private slotToChange(slice: number, offset: number): number {
    const { cache, state } = this
    const found = cache.find(slice)
    const isDirty = found >= 0 && cache.isDirty(found)
    if (!isDirty && atomics.load(state.control, Word.dirtySlots) >= cache.dirtyLimit) return -1
    const l1Index = Math.floor(slice / this.geometry.slicesPerTable)
    const table = atomics.loadUnsigned(state.l1, l1Index)
    if (table === INVALID) throw this.corrupt('L1', offset)
    return cache.fetch(slice, table === UNALLOCATED ? this.newTable(l1Index) : table)
  }

  /** In clusters that were never handed out, and so read as zeros: an empty table that needs no write. */
  private newTable(l1Index: number): number {
    const { control, l1, links, numbers } = this.state
    const table = atomics.loadUnsigned(numbers, Word.high)
    this.handOut(table, this.geometry.tableSize)
    atomics.store(links, l1Index, Link.unsent)
    atomics.add(control, Word.unlinked, 1)
    atomics.storeUnsigned(l1, l1Index, table)
    return table
  }

  /** Moves the allocation pointer behind `count` clusters from `first`. */
  private handOut(first: number, count: number): void {
    const { numbers } = this.state
    const end = first + count
    if (end > CLUSTER_LIMIT || end * this.geometry.clusterSize > Number.MAX_SAFE_INTEGER) {
      throw new SystemError(errno.ENOSPC, 'allocate a cluster', this.file.path)
    }
    atomics.storeUnsigned(numbers, Word.next, end)
    if (end > atomics.loadUnsigned(numbers, Word.high)) atomics.storeUnsigned(numbers, Word.high, end)
  }

  private checkAligned(offset: number): void {
    if (offset % this.geometry.clusterSize !== 0 || offset >= this.size) {
      throw new RangeError(
        `offset ${offset} does not start a cluster of ${this.geometry.clusterSize} bytes below ${this.size}`,
      )
    }
  }
}
