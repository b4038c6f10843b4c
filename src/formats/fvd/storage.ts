import { roundUp } from '../../bytes.js'
import { errno, SystemError } from '../../libc/errno.js'
import * as atomics from '../../shared/atomics.js'
import { addStorage } from '../../storage/add-storage.js'
import { tracer } from '../../trace.js'
import { setBit } from './bits.js'
import { ID_LIMIT } from './layout.js'
import { type FvdState, sectorOfChunk, Word } from './state.js'

const log = tracer('fvd')

/** Old bytes behind the allocation pointer are zeroed in pieces of this many, so that not every chunk takes a call. */
const ZERO_AHEAD = 16 << 20

/**
 * Gives chunks their storage. A chunk without storage reads as zeros, and so does new storage: the entry of a chunk may
 * be put into the table at once, before anything is written there, and a commit in between does no harm. So nothing
 * has to be published, and writers of different blocks in one chunk need not wait for each other.
 *
 * Storage comes from the gaps that crashes left, which open.ts has seen to that no record of the journal names; then from
 * behind the largest id. What was used before, or lies before the old end of the file, is zeroed first.
 */
export class ChunkStorage {
  constructor(private readonly state: FvdState) {}

  /** With the mutex held: storage for a chunk that has none. Throws a SystemError ENOSPC when there is no more. */
  install(chunk: number): void {
    const { state } = this
    const id = this.takeGap() ?? this.takeNext()
    // Marked before anybody sees it, as in WritableFvdDriver.setBlocks().
    if (setBit(state.tableChanged, sectorOfChunk(chunk))) atomics.add(state.control, Word.changed, 1)
    atomics.storeUnsigned(state.table, chunk, id + 1)
  }

  /** With the mutex held: the id that install() would hand out from behind the largest one; -1: from a gap. */
  get next(): number {
    const { control, gaps } = this.state
    return atomics.load(control, Word.gap) < gaps.length ? -1 : atomics.load(control, Word.next)
  }

  private takeGap(): number | null {
    const { control, data, gaps, geometry } = this.state
    const gap = atomics.load(control, Word.gap)
    if (gap >= gaps.length) return null
    const id = atomics.loadUnsigned(gaps, gap)
    data.zero(this.state.storageOf(id), geometry.chunkSize)
    const left = atomics.loadUnsigned(gaps, gap + 1) - 1
    atomics.storeUnsigned(gaps, gap, id + 1)
    atomics.storeUnsigned(gaps, gap + 1, left)
    if (left === 0) atomics.store(control, Word.gap, gap + 2)
    return id
  }

  private takeNext(): number {
    const { control, data } = this.state
    const id = atomics.load(control, Word.next)
    if (id >= ID_LIMIT - 1) throw new SystemError(errno.ENOSPC, 'allocate a chunk', data.path)
    if (id >= atomics.load(control, Word.capacity)) this.grow(id + 1)
    if (id >= atomics.load(control, Word.zeroed) && id < atomics.load(control, Word.used)) this.zeroFrom(id)
    atomics.store(control, Word.next, id + 1)
    return id
  }

  /** The file holds `count` chunks when this returns. */
  private grow(count: number): void {
    const { control, data, description } = this.state
    const { dataOffset, growUnit } = description.shape
    const needed = this.state.storageOf(count)
    if (log.enabled) log('%s: grows to hold %d chunks', data.path, count)
    if (description.growCommand !== '') {
      addStorage(description.growCommand, data.path)
      // Unlike what extend() adds, added storage may hold anything.
      atomics.store(control, Word.used, this.state.begunChunks)
    }
    if (data.size() < needed) this.extend(dataOffset + roundUp(needed - dataOffset, growUnit))
    atomics.store(control, Word.capacity, this.state.capacity)
  }

  private extend(size: number): void {
    const { data } = this.state
    if (!Number.isSafeInteger(size)) throw new SystemError(errno.ENOSPC, 'ftruncate', data.path)
    try {
      data.truncate(size)
    } catch (error) {
      // What has a fixed size, a block device say, is full.
      if (!(error instanceof SystemError && error.errno === errno.EINVAL)) throw error
      throw new SystemError(errno.ENOSPC, 'ftruncate', data.path)
    }
  }

  private zeroFrom(id: number): void {
    const { control, data, geometry } = this.state
    const ahead = Math.max(1, Math.floor(ZERO_AHEAD / geometry.chunkSize))
    const end = Math.min(atomics.load(control, Word.used), id + ahead)
    const start = this.state.storageOf(id)
    data.zero(start, Math.min(this.state.storageOf(end), data.size()) - start)
    atomics.store(control, Word.zeroed, end)
  }
}
