import { ImageError } from '../../errors.js'
import * as atomics from '../../shared/atomics.js'
import { type FormatDriver, type Mapping, Where } from '../driver.js'
import { signedRun } from './bits.js'
import type { Geometry } from './geometry.js'
import type { FvdState } from './state.js'
import { INVALID, NO_STORAGE } from './survey.js'

/** Translates guest offsets; one object per thread over a state that all threads share. */
export class FvdDriver implements FormatDriver {
  readonly format = 'fvd'
  readonly endsEarly = true
  readonly size: number
  protected readonly geometry: Geometry

  constructor(protected readonly state: FvdState) {
    this.geometry = state.geometry
    this.size = state.geometry.size
  }

  /**
   * The bitmap says whether a byte is in the base; the table, where it lies if not. Throws ImageError CORRUPT for a
   * chunk whose storage the file does not have.
   */
  map(offset: number, length: number, run: Mapping): void {
    if (!(offset >= 0 && offset < this.size))
      throw new RangeError(`offset ${offset} is not below ${this.size}`)
    let span = Math.min(length, this.size - offset)
    const { baseSize, blockSize, blocks } = this.geometry
    if (offset < baseSize) {
      span = Math.min(span, baseSize - offset)
      const block = Math.floor(offset / blockSize)
      const end = Math.min(blocks, Math.ceil((offset + span) / blockSize))
      const count = signedRun(this.state.bitmap, block, end)
      span = Math.min(span, (block + Math.abs(count)) * blockSize - offset)
      if (count < 0) {
        run.where = Where.absent
        run.length = span
        run.file = null
        return
      }
    }
    if (this.geometry.compact) this.mapChunks(offset, span, run)
    else {
      run.where = Where.data
      run.length = span
      run.file = this.state.data
      run.offset = this.state.description.shape.dataOffset + offset
    }
  }

  protected mapChunks(offset: number, span: number, run: Mapping): void {
    const { state } = this
    const { chunkSize } = this.geometry
    const first = Math.floor(offset / chunkSize)
    const within = offset - first * chunkSize
    const wanted = Math.ceil((within + span) / chunkSize)
    const entry = atomics.loadUnsigned(state.table, first)
    if (entry === INVALID) throw this.corrupt(offset)
    const step = entry === NO_STORAGE ? 0 : 1
    let count = 1
    while (count < wanted && atomics.loadUnsigned(state.table, first + count) === entry + step * count)
      count++
    run.length = Math.min(span, count * chunkSize - within)
    if (entry === NO_STORAGE) {
      run.where = Where.zero
      run.file = null
      return
    }
    run.where = Where.data
    run.file = state.data
    run.offset = state.storageOf(entry - 1) + within
  }

  protected corrupt(offset: number): ImageError {
    return new ImageError(
      'CORRUPT',
      `${this.state.file.path}: the table entry for guest offset ${offset} points nowhere; run "rawmount check" on the image`,
    )
  }
}
