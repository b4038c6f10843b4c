import { Extent } from '../../src/disk/extents.js'
import { type OpenImage, type OpenImageOptions, openImage } from '../../src/disk/open.js'
import { IoBuffer } from '../../src/libc/io-buffer.js'

/** Bytes around the part of a buffer that a call may touch; they must be as they were afterwards. */
const GUARD = 64
const GUARD_BYTE = 0xa5

/** Shared by all: the tests open thousands of disks, and no call keeps a buffer. */
let shared = new IoBuffer(1 << 20)

/** An open image with arrays of bytes in place of buffers, for tests of any host. */
export class TestDisk {
  constructor(readonly image: OpenImage) {}

  static open(path: string, options: OpenImageOptions): TestDisk {
    return new TestDisk(openImage(path, options))
  }

  get size(): number {
    return this.image.disk.size
  }

  read(offset: number, length: number): Uint8Array {
    const buffer = room(length)
    buffer.bytes.fill(GUARD_BYTE, 0, length + 2 * GUARD)
    this.image.disk.read(offset, length, buffer, GUARD)
    for (let n = 0; n < GUARD; n++) {
      if (buffer.bytes[n] !== GUARD_BYTE || buffer.bytes[GUARD + length + n] !== GUARD_BYTE) {
        throw new Error(`read ${offset}+${length} wrote outside its part of the buffer`)
      }
    }
    return buffer.bytes.slice(GUARD, GUARD + length)
  }

  write(offset: number, bytes: Uint8Array): void {
    const buffer = room(bytes.length)
    buffer.bytes.fill(GUARD_BYTE, 0, bytes.length + 2 * GUARD)
    buffer.bytes.set(bytes, GUARD)
    this.image.disk.write(offset, bytes.length, buffer, GUARD)
  }

  zero(offset: number, length: number): void {
    this.image.disk.zero(offset, length)
  }

  flush(): void {
    this.image.disk.flush()
  }

  /** The extents of a range. Throws when they do not cover it one after the other. */
  extents(offset: number, length: number): Extent[] {
    const found: Extent[] = []
    for (let at = offset; at < offset + length; at += found.at(-1)!.length) {
      const extent = new Extent()
      this.image.disk.nextExtent(at, offset + length - at, extent)
      if (extent.offset !== at || !(extent.length > 0) || at + extent.length > offset + length) {
        throw new Error(`the extent at ${at} of ${offset}+${length} is ${extent.offset}+${extent.length}`)
      }
      found.push(extent)
    }
    return found
  }

  close(): void {
    this.image.close()
  }

  /** As if the process had been killed. */
  drop(): void {
    this.image.drop()
  }
}

function room(length: number): IoBuffer {
  if (shared.length < length + 2 * GUARD) shared = new IoBuffer(length + 2 * GUARD)
  return shared
}
