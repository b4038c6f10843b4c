import * as atomics from '../../shared/atomics.js'
import { Mapping, type Place, Where, type WritableDriver } from '../driver.js'
import { hasBit, runOfBits, setBit, setBits } from './bits.js'
import { FvdCommit } from './commit.js'
import { FvdDriver } from './driver.js'
import { type FvdState, sectorOfBlock, Word } from './state.js'
import { ChunkStorage } from './storage.js'
import { INVALID, NO_STORAGE } from './survey.js'

/**
 * What reads as zeros gets storage that reads as zeros (storage.ts), which changes nothing for anybody; so only blocks
 * have to be published, which leave the base for the image. commit.ts brings the changes to the file.
 */
export class WritableFvdDriver extends FvdDriver implements WritableDriver {
  readonly grain: number
  readonly zeroGrain = 1
  readonly absentEnd: number
  commitForRoom = (): void => {}
  private readonly storage: ChunkStorage
  private readonly committer: FvdCommit
  private readonly run = new Mapping()

  constructor(state: FvdState) {
    super(state)
    this.grain = state.geometry.blockSize
    this.absentEnd = state.geometry.baseSize
    this.storage = new ChunkStorage(state)
    this.committer = new FvdCommit(state)
  }

  /** Throws a SystemError ENOSPC when a chunk has no storage and there is no more. */
  allocate(offset: number, length: number, place: Place): void {
    const { state } = this
    place.file = state.data
    if (!this.geometry.compact) {
      place.offset = state.description.shape.dataOffset + offset
      place.length = length
      // A session that crashed may have written there.
      place.fresh = false
      return
    }
    const { chunkSize } = this.geometry
    const first = Math.floor(offset / chunkSize)
    const within = offset - first * chunkSize
    const wanted = Math.ceil((within + length) / chunkSize)
    state.mutex.lock()
    try {
      place.fresh = this.provide(first)
      const entry = atomics.loadUnsigned(state.table, first)
      if (entry === INVALID) throw this.corrupt(offset)
      let count = 1
      while (count < wanted && this.continues(first + count, entry - 1 + count, place.fresh)) count++
      place.offset = state.storageOf(entry - 1) + within
      place.length = Math.min(length, count * chunkSize - within)
    } finally {
      state.mutex.unlock()
    }
  }

  /** Readers see the blocks that end here, whose other pieces were published before. */
  publish(offset: number, place: Place): void {
    this.setBlocks(offset, offset + place.length)
  }

  /** Where a chunk has storage, the blocks' part of it may hold what a crashed session wrote there. */
  publishZeros(offset: number, length: number): void {
    const { run } = this
    const end = offset + length
    if (!this.geometry.compact) {
      this.state.data.zero(this.state.description.shape.dataOffset + offset, length)
    } else {
      for (let at = offset; at < end; at += run.length) {
        this.mapChunks(at, end - at, run)
        if (run.where === Where.data) run.file!.zero(run.offset, run.length)
      }
    }
    this.setBlocks(offset, end)
  }

  /** Storage that was handed out belongs to its chunk, and shows as zeros or not at all. */
  abandon(): void {}

  pending(): number {
    return this.state.pending()
  }

  commit(): void {
    this.committer.run()
  }

  becomeIndependent(): void {
    this.committer.becomeIndependent()
  }

  finish(): void {
    this.committer.finish()
  }

  /** Sees to it that the chunk has storage; true when it is new. */
  private provide(chunk: number): boolean {
    if (atomics.loadUnsigned(this.state.table, chunk) !== NO_STORAGE) return false
    this.storage.install(chunk)
    return true
  }

  /** With the mutex held: whether the chunk has storage `id`, new or old as asked; gives it that when it can. */
  private continues(chunk: number, id: number, fresh: boolean): boolean {
    const entry = atomics.loadUnsigned(this.state.table, chunk)
    if (!fresh) return entry === id + 1
    if (entry !== NO_STORAGE || this.storage.next !== id) return false
    this.storage.install(chunk)
    return true
  }

  /** The blocks of the base that end within [start, end) are in the image. */
  private setBlocks(start: number, end: number): void {
    const { baseSize, blockSize, blocks } = this.geometry
    if (start >= baseSize) return
    const { bitmap, bitmapChanged, control, mutex } = this.state
    const first = Math.floor(start / blockSize)
    const last = end >= baseSize ? blocks : Math.floor(end / blockSize)
    if (last <= first) return
    if (hasBit(bitmap, first) && runOfBits(bitmap, first, last) === last - first) return
    mutex.lock()
    // Marked before anybody sees the blocks: who writes to them, and flushes, must not find nothing to commit.
    for (let sector = sectorOfBlock(first); sector <= sectorOfBlock(last - 1); sector++) {
      if (setBit(bitmapChanged, sector)) atomics.add(control, Word.changed, 1)
    }
    setBits(bitmap, first, last)
    mutex.unlock()
  }
}
