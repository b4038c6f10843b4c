import { ImageError } from '../errors.js'
import { isWritable, type WritableDriver } from '../formats/driver.js'
import type { IoBuffer } from '../libc/io-buffer.js'
import { RangeLock } from '../shared/range-lock.js'
import { BaseReads } from './base-reads.js'
import { BaseWriter } from './base-writer.js'
import { Committer } from './committer.js'
import { CopyPath } from './copy-path.js'
import { Copying, Sum } from './copying.js'
import type { DiskDescription } from './descriptions.js'
import { type Extent, ExtentWalk } from './extents.js'
import { FetchPath } from './fetch-path.js'
import type { Layer } from './layer.js'
import { ReadPath } from './read-path.js'
import { WritePath } from './write-path.js'

/**
 * The guest's disk: a chain of images seen as one range of bytes. An object belongs to one thread; describe() gives
 * a plain object to post to others, which attach to the same disk (attach.ts). All calls are synchronous and may come from
 * all threads at once; overlapping writes end up as if one came after the other, sector by sector.
 *
 * Offsets and lengths are bytes, of any alignment, within `size` (else RangeError). Failures of the storage throw
 * SystemError or ImageError with an errno; the disk stays usable.
 */
export class Disk {
  readonly size: number
  readonly writable: boolean
  private readonly reads: ReadPath
  private readonly extents: ExtentWalk
  private readonly top: WritableDriver | null
  private readonly writes: WritePath | null = null
  private readonly committer: Committer | null
  private readonly fetches: FetchPath | null = null
  /** Takes the writes where they go to the base, too; else null. */
  readonly baseWriter: BaseWriter | null = null
  /** For copiers; null where nothing is copied from the base. */
  readonly copies: CopyPath | null = null

  constructor(
    private readonly layers: readonly Layer[],
    private readonly description: DiskDescription,
  ) {
    const { driver, file } = layers[0]
    this.size = driver.size
    this.writable = description.writable
    this.reads = new ReadPath(layers)
    this.extents = new ExtentWalk(layers, !this.writable)
    this.top = this.writable && isWritable(driver) ? driver : null
    const copying = description.copying && new Copying(description.copying)
    const base = new BaseReads(this.reads, copying)
    this.committer = this.top && new Committer(description.commits, this.top, file.path)
    if (this.top !== null) {
      this.top.commitForRoom = () => this.committer!.commit()
      this.writes = new WritePath(this.top, base, new RangeLock(description.locks), copying)
      if (description.baseWriter !== null) {
        const disk = new Disk(layers.slice(1), description.baseWriter.disk)
        this.baseWriter = new BaseWriter(description.baseWriter, this.top, this.writes, disk)
      }
      if (copying !== null) {
        const below = new ExtentWalk(layers.slice(1))
        this.fetches = new FetchPath(this.top, base, copying)
        this.copies = new CopyPath(this.top, below, base, this.writes, copying, this.committer!)
      }
    }
  }

  /** Of the image itself. */
  get path(): string {
    return this.layers[0].file.path
  }

  describe(): DiskDescription {
    return this.description
  }

  read(offset: number, length: number, buffer: IoBuffer, at: number): void {
    this.checkRange(offset, length)
    if (this.fetches === null) this.reads.read(0, offset, length, buffer, at)
    else this.fetches.read(offset, length, buffer, at)
  }

  /** Visible at once; durable after the next flush(). */
  write(offset: number, length: number, buffer: IoBuffer, at: number): void {
    this.checkRange(offset, length)
    this.writer().write(offset, length, buffer, at)
    this.committer!.markWritten()
  }

  /** The range reads as zeros from now on, and gives its storage back where the format can; durable like a write. */
  zero(offset: number, length: number): void {
    this.checkRange(offset, length)
    this.writer().zero(offset, length)
    this.committer!.markWritten()
  }

  /**
   * What is absent of these whole grains of the image reads as zeros from now on, whatever its base has; durable like a
   * write. Not where writes go to the base, too.
   */
  hideBase(offset: number, length: number): void {
    this.checkRange(offset, length)
    if (this.writes === null || this.baseWriter !== null)
      throw new TypeError(`${this.path}: is not open for this`)
    this.writes.copyUpZeros(offset, length, Sum.written)
    this.committer!.markWritten()
  }

  /** Returns when everything written before the call is durable. Nothing to do on a read-only disk. */
  flush(): void {
    this.committer?.commit()
    this.baseWriter?.flush()
  }

  /** A hint: a flush of much will come, and what was written may begin to go to the medium. */
  beginFlush(): void {
    const { file, companion } = this.layers[0]
    file.beginSync?.()
    companion?.beginSync?.()
  }

  /** The last flush; the image is left as cleanly closed. No thread may use the disk afterwards. */
  finish(): void {
    if (this.baseWriter !== null) {
      // The image stays marked as open until the base has everything.
      this.committer!.commit()
      this.baseWriter.finish()
    }
    this.committer?.finish()
  }

  /** True when something was written that no flush has begun to make durable. */
  get needsFlush(): boolean {
    return (this.committer?.isNeeded ?? false) || (this.baseWriter?.needsFlush ?? false)
  }

  /** Changes of metadata that a flush would write; 0 on a read-only disk. */
  pending(): number {
    return this.top?.pending() ?? 0
  }

  /** Seconds that commits took, all together. */
  get commitSeconds(): number {
    return this.committer?.commitSeconds ?? 0
  }

  /** Completed flushes since the image was opened. */
  get commits(): number {
    return this.committer?.commits ?? 0
  }

  /** The extent at `offset`, at most `length` bytes; see ExtentWalk. */
  nextExtent(offset: number, length: number, out: Extent): void {
    this.checkRange(offset, length)
    try {
      this.extents.next(offset, length, out)
    } catch (error) {
      // The base may have been let go in the middle of it: then the image has everything.
      if (this.copies === null) throw error
      this.extents.next(offset, length, out)
    }
  }

  /** Bytes of storage that the files of the chain occupy; those of the bases did when they were opened. */
  allocated(): number {
    const { file, companion } = this.layers[0]
    // A base that hangs must not be asked: who only looks at the file would hang, too.
    return file.allocated() + (companion?.allocated() ?? 0) + this.description.allocatedBelow
  }

  private writer(): WritePath | BaseWriter {
    if (this.baseWriter !== null) return this.baseWriter
    if (this.writes !== null) return this.writes
    throw new ImageError('READ_ONLY', `${this.path}: is open read-only`)
  }

  private checkRange(offset: number, length: number): void {
    if (offset >= 0 && length >= 0 && offset + length <= this.size) return
    throw new RangeError(`bytes ${offset}..${offset + length} are outside the disk's ${this.size}`)
  }
}
