import { ImageError } from '../errors.js'
import { type FormatDriver, Mapping, Where } from '../formats/driver.js'
import type { IoBuffer } from '../libc/io-buffer.js'
import type { StorageFile } from '../storage/storage-file.js'
import type { Layer } from './layer.js'

/**
 * The one read path: run by run, the drivers say where the guest's bytes lie, and they go straight from the
 * storage file to the caller's buffer. Takes no lock. One object per thread.
 */
export class ReadPath {
  private readonly run = new Mapping()

  constructor(private readonly layers: readonly Layer[]) {}

  /**
   * Fills `length` bytes of `buffer` at `at` with what `layers[depth]` and those below it show at `offset`. Returns how
   * many of them came from a storage file.
   */
  read(depth: number, offset: number, length: number, buffer: IoBuffer, at: number): number {
    const { run } = this
    let done = 0
    let fromFiles = 0
    while (done < length) {
      const driver = this.locate(depth, offset + done, length - done)
      const got = run.where === Where.data ? run.file!.read(buffer, at + done, run.length, run.offset) : 0
      if (got < run.length) {
        if (run.where === Where.data && !driver!.endsEarly) throw shrunk(run.file!)
        // Beyond the end of a storage file, as after a sparse write, there are zeros too.
        buffer.bytes.fill(0, at + done + got, at + done + run.length)
      }
      fromFiles += got
      done += run.length
    }
    return fromFiles
  }

  /** True when [offset, offset + length) is known, without reading it, to show zeros from `depth` downwards. */
  isZero(depth: number, offset: number, length: number): boolean {
    this.locate(depth, offset, length)
    return this.run.where !== Where.data && this.run.length >= length
  }

  /** Descends to the layer that has the run at `offset`; null, and Where.absent, for what no layer has. */
  private locate(depth: number, offset: number, length: number): FormatDriver | null {
    const { layers, run } = this
    let within = length
    for (let level = depth; level < layers.length; level++) {
      const { driver } = layers[level]
      if (offset >= driver.size) break // a base that is shorter than its image: zeros from here on
      driver.map(offset, Math.min(within, driver.size - offset), run)
      if (run.where !== Where.absent) return driver
      within = run.length
    }
    run.where = Where.absent
    run.length = within
    return null
  }
}

/** The failure of a file that had more when it was opened. */
export function shrunk(file: StorageFile): ImageError {
  return new ImageError(
    'IO',
    `${file.path}: has become shorter since it was opened; bring back what was cut off, and open it again`,
  )
}
