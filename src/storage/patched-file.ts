import { IoBuffer } from '../libc/io-buffer.js'
import type { FileDescription, StorageFile } from './storage-file.js'

/**
 * A file with another beginning, which is kept in memory: for trying what a change of the beginning would do. The file
 * itself is never written, and stays its owner's to close.
 */
export class PatchedFile implements StorageFile {
  readonly writable = true
  private readonly head: IoBuffer
  /** Where the bytes of the beginning end that there are. */
  private end: number

  /** `length`: bytes of the beginning, which can then be written. */
  constructor(
    private readonly file: StorageFile,
    length: number,
  ) {
    this.head = new IoBuffer(length)
    this.end = file.read(this.head, 0, length, 0)
  }

  get path(): string {
    return this.file.path
  }

  read(buffer: IoBuffer, at: number, length: number, offset: number): number {
    const fromHead = Math.max(0, Math.min(length, this.end - offset))
    if (fromHead > 0) buffer.copyFrom(this.head, offset, fromHead, at)
    if (fromHead === length || this.end < this.head.length) return fromHead
    return fromHead + this.file.read(buffer, at + fromHead, length - fromHead, offset + fromHead)
  }

  /** Throws RangeError behind the beginning. */
  write(buffer: IoBuffer, at: number, length: number, offset: number): void {
    this.head.copyFrom(buffer, at, length, offset)
    this.end = Math.max(this.end, offset + length)
  }

  sync(): void {}

  zero(offset: number, length: number): void {
    this.write(new IoBuffer(length), 0, length, offset)
  }

  size(): number {
    return Math.max(this.end, this.file.size())
  }

  truncate(): void {
    throw new TypeError(`${this.path}: is not to change its size in a trial`)
  }

  stretch(offset: number, hole: boolean): number {
    if (offset >= this.head.length) return this.file.stretch(offset, hole)
    return hole ? offset : Math.max(this.head.length, this.file.stretch(offset, hole))
  }

  allocated(): number {
    return this.file.allocated()
  }

  describe(): FileDescription {
    return this.file.describe()
  }

  letGo(): void {}

  close(): void {}
}
