import { Mapping, Where } from '../formats/driver.js'
import type { StorageFile } from '../storage/storage-file.js'
import type { Layer } from './layer.js'
import { shrunk } from './read-path.js'

/** A run of the disk whose bytes all lie in the same way. One object, reused. */
export class Extent {
  offset = 0
  length = 0
  /** False: reads as zeros. */
  data = false
  /** False: no layer of the chain says anything about it. */
  present = false
  /** The layer that decides, 0 = the image itself; the one below the last when none does. */
  depth = 0
  /** Where the bytes lie in that layer's file; only with `data`. -1: in it, but not as they are (compressed). */
  fileOffset = 0
  /** Whether the file has a hole there; only with `data`. */
  hole = false
  /** The name of that file: the image's, or its data file's. */
  path = ''
}

/** Walks the whole chain, metadata only: no guest byte is read. One object per thread. */
export class ExtentWalk {
  private readonly run = new Mapping()
  /** The last stretch of data that was looked up, where `remembers`: finding its end can take a walk over all its pages. */
  private known: StorageFile | null = null
  private knownStart = 0
  private knownEnd = 0

  /**
   * `remembers`: for files that do not change. What has become a hole meanwhile is then still called data for a while, and
   * never the other way round.
   */
  constructor(
    private readonly layers: readonly Layer[],
    private readonly remembers = false,
  ) {}

  /**
   * Fills in the extent at `offset`, at most `length` bytes long. Neighbours of one kind are not joined. Data in a
   * hole of its storage file is told by `hole`, for who wants to skip what is surely zero.
   */
  next(offset: number, length: number, out: Extent): void {
    const { run } = this
    out.offset = offset
    out.data = out.present = out.hole = false
    out.fileOffset = 0
    let within = length
    for (out.depth = 0; out.depth < this.layers.length; out.depth++) {
      const { driver } = this.layers[out.depth]
      if (offset >= driver.size) {
        // A base shorter than its image has zeros here, and hides nothing below it.
        out.present = out.depth > 0
        break
      }
      driver.map(offset, Math.min(within, driver.size - offset), run)
      within = run.length
      if (run.where === Where.absent) continue
      out.present = true
      if (run.where === Where.data) {
        out.data = true
        out.fileOffset = run.file!.computed ? -1 : run.offset
        out.path = run.file!.path
        if (!run.file!.computed) within = this.splitAtHole(out, within)
        // A hole where the file has been cut off is none.
        if (out.hole && !driver.endsEarly && run.file!.size() < out.fileOffset + within)
          throw shrunk(run.file!)
      }
      break
    }
    out.length = within
  }

  private splitAtHole(out: Extent, length: number): number {
    const file = this.run.file!
    if (file === this.known && out.fileOffset >= this.knownStart && out.fileOffset < this.knownEnd)
      return Math.min(length, this.knownEnd - out.fileOffset)
    const dataEnd = file.stretch(out.fileOffset, false)
    if (dataEnd > out.fileOffset) {
      if (this.remembers) {
        this.known = file
        this.knownStart = out.fileOffset
        this.knownEnd = dataEnd
      }
      return Math.min(length, dataEnd - out.fileOffset)
    }
    out.hole = true
    const holeEnd = file.stretch(out.fileOffset, true)
    // A hole that reaches the end of the file goes on behind it.
    return holeEnd <= out.fileOffset || holeEnd >= file.size()
      ? length
      : Math.min(length, holeEnd - out.fileOffset)
  }
}
