import { errno, SystemError } from '../libc/errno.js'
import type { IoBuffer } from '../libc/io-buffer.js'
import type { FileDescription, StorageFile } from '../storage/storage-file.js'
import type { Disk } from './disk.js'
import { Extent } from './extents.js'

/**
 * A disk as a storage file of fixed length: the data of one image may lie in another. One object per thread, like the
 * disk itself, which belongs to who opened it.
 */
export class ImageFile implements StorageFile {
  private readonly extent = new Extent()

  constructor(
    private readonly disk: Disk,
    readonly path: string,
  ) {}

  get writable(): boolean {
    return this.disk.writable
  }

  read(buffer: IoBuffer, at: number, length: number, offset: number): number {
    const count = Math.max(0, Math.min(length, this.disk.size - offset))
    if (count > 0) this.disk.read(offset, count, buffer, at)
    return count
  }

  write(buffer: IoBuffer, at: number, length: number, offset: number): void {
    if (offset + length > this.disk.size) throw new SystemError(errno.ENOSPC, 'pwrite', this.path)
    this.disk.write(offset, length, buffer, at)
  }

  sync(): void {
    this.disk.flush()
  }

  zero(offset: number, length: number): void {
    const count = Math.min(length, this.disk.size - offset)
    if (count > 0) this.disk.zero(offset, count)
  }

  size(): number {
    return this.disk.size
  }

  /** As of a device: its size is fixed, which is not for want of room. */
  truncate(size: number): void {
    if (size !== this.disk.size) throw new SystemError(errno.EINVAL, 'ftruncate', this.path)
  }

  stretch(offset: number, hole: boolean): number {
    const { disk, extent } = this
    let end = offset
    while (end < disk.size) {
      disk.nextExtent(end, disk.size - end, extent)
      if ((!extent.data || extent.hole) !== hole) break
      end += extent.length
    }
    return end
  }

  allocated(): number {
    return this.disk.allocated()
  }

  /** It is described, and attached, as a disk: see companion.ts. */
  describe(): FileDescription {
    throw new TypeError(`${this.path}: an image has no descriptor of its own`)
  }

  letGo(): void {}

  close(): void {}
}
