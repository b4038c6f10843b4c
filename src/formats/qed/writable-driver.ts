import { ImageError } from '../../errors.js'
import { errno, SystemError } from '../../libc/errno.js'
import * as atomics from '../../shared/atomics.js'
import { tracer } from '../../trace.js'
import type { Place, WritableDriver } from '../driver.js'
import { QedCommit } from './commit.js'
import { QedDriver } from './driver.js'
import { CLUSTER_LIMIT, INVALID, UNALLOCATED, ZERO } from './entries.js'
import { Link, type QedState, Word } from './state.js'

const log = tracer('qed')

/**
 * Allocates clusters at the end of the file, and changes L2 entries in the cache; commit.ts brings them to the
 * file. What is handed out in one call lies within one slice, so that publish() either happens whole or not at all.
 *
 * When the cache has no room for another dirty slice, whoever publishes has a commit made first, with no mutex held.
 */
export class WritableQedDriver extends QedDriver implements WritableDriver {
  readonly grain: number
  readonly zeroGrain: number
  readonly absentEnd: number
  commitForRoom = (): void => this.commit()
  private readonly committer: QedCommit

  constructor(state: QedState) {
    super(state)
    this.grain = this.zeroGrain = this.geometry.clusterSize
    this.absentEnd = this.size
    this.committer = new QedCommit(state)
  }

  /** `offset` starts a cluster. Throws a SystemError ENOSPC when the file has as many clusters as it may. */
  allocate(offset: number, length: number, place: Place): void {
    const { clusterSize, sliceSpan } = this.geometry
    this.checkAligned(offset)
    const span = Math.min(length, this.size - offset, sliceSpan - (offset % sliceSpan))
    const { free, mutex } = this.state
    mutex.lock()
    try {
      const again = free.take()
      const wanted = Math.ceil(span / clusterSize)
      // What was handed out before and taken back comes by itself: `fresh` is one answer for the whole place.
      const count = again === 0 ? this.countAtEnd(wanted) : 1
      const first = again === 0 ? atomics.loadUnsigned(this.state.numbers, Word.next) : again
      place.fresh = first >= atomics.loadUnsigned(this.state.numbers, Word.high)
      if (again === 0) this.handOut(first, count)
      place.file = this.file
      place.offset = first * clusterSize
      place.length = Math.min(span, count * clusterSize)
    } finally {
      mutex.unlock()
    }
  }

  /** How many of the `wanted` next clusters are alike: all handed out before, or none. */
  private countAtEnd(wanted: number): number {
    const { numbers } = this.state
    const handedOut = atomics.loadUnsigned(numbers, Word.high) - atomics.loadUnsigned(numbers, Word.next)
    return handedOut > 0 ? Math.min(wanted, handedOut) : wanted
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

  /** Its clusters are handed out again: at the end of the file by moving the pointer back, others by a list. */
  abandon(place: Place): void {
    const { clusterSize } = this.geometry
    const first = place.offset / clusterSize
    const { free, numbers, mutex } = this.state
    mutex.lock()
    for (let i = Math.ceil(place.length / clusterSize) - 1; i >= 0; i--) free.put(first + i)
    let next = atomics.loadUnsigned(numbers, Word.next)
    while (free.remove(next - 1)) next--
    atomics.storeUnsigned(numbers, Word.next, next)
    mutex.unlock()
  }

  pending(): number {
    return this.state.pending()
  }

  commit(): void {
    this.committer.run()
  }

  /** Throws ImageError FORMAT_UNSUPPORTED where the header has features that the name may be part of. */
  becomeIndependent(): void {
    if (this.state.description.unknownCompat) {
      throw new ImageError(
        'FORMAT_UNSUPPORTED',
        `${this.file.path}: the header has compatible features that are unknown here, so the name of its backing file is not taken away; use the program that made it`,
      )
    }
    this.committer.becomeIndependent()
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
    if (log.enabled) log('%s: L2 table %d is made, in cluster %d', this.file.path, l1Index, table)
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
