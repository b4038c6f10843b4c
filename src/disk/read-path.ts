import { Mapping, Where } from '../formats/driver.js'
import type { IoBuffer } from '../libc/io-buffer.js'
import type { Layer } from './layer.js'

/**
 * The one read path: run by run, the drivers say where the guest's bytes lie, and they go straight from the
 * storage file to the caller's buffer. Takes no lock. One object per thread.
 */
export class ReadPath {
  private readonly run = new Mapping()

  constructor(private readonly layers: readonly Layer[]) {}

  /** Fills `length` bytes of `buffer` at `at` with what `layers[depth]` and those below it show at `offset`. */
  read(depth: number, offset: number, length: number, buffer: IoBuffer, at: number): void {
    const { run } = this
    let done = 0
    while (done < length) {
      this.locate(depth, offset + done, length - done)
      const got = run.where === Where.data ? run.file!.read(buffer, at + done, run.length, run.offset) : 0
      // Beyond the end of a storage file, as after a sparse write, there are zeros too.
      if (got < run.length) buffer.bytes.fill(0, at + done + got, at + done + run.length)
      done += run.length
    }
  }

  /** True when [offset, offset + length) is known, without reading it, to show zeros from `depth` downwards. */
  isZero(depth: number, offset: number, length: number): boolean {
    this.locate(depth, offset, length)
    return this.run.where !== Where.data && this.run.length >= length
  }

  /** Descends to the layer that has the run at `offset`; what no layer has is left as Where.absent. */
  private locate(depth: number, offset: number, length: number): void {
    const { layers, run } = this
    let within = length
    for (let level = depth; level < layers.length; level++) {
      const { driver } = layers[level]
      if (offset >= driver.size) break // a base that is shorter than its image: zeros from here on
      driver.map(offset, Math.min(within, driver.size - offset), run)
      if (run.where !== Where.absent) return
      within = run.length
    }
    run.where = Where.absent
    run.length = within
  }
}
