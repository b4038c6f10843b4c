import { randomFillSync } from 'node:crypto'
import { closeSync, openSync } from 'node:fs'
import { open, rm, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { openImage } from '../src/index.js'
import { pread } from '../src/libc/files.js'
import { IoBuffer } from '../src/libc/io-buffer.js'
import type { Contender, ImageKind } from './contenders/contender.js'
import { BLOCK } from './pattern.js'
import { RAWMOUNT, run } from './program.js'

const PIECE = 1 << 20
const SAMPLES = 64

/**
 * The images of a run. One template, full of random bytes in which every block has its offset at its start, and from
 * it for each contender a copy of its own; new images are made for each measurement.
 */
export class Images {
  /** The disk that all full images hold, and the backing file of overlays; never written to. */
  readonly template: string
  private readonly full = new Map<string, string>()
  private made = 0

  constructor(
    readonly directory: string,
    readonly size: number,
  ) {
    this.template = join(directory, 'template.raw')
  }

  async prepare(): Promise<void> {
    const file = await open(this.template, 'wx')
    const piece = Buffer.alloc(PIECE)
    randomFillSync(piece)
    for (let offset = 0; offset < this.size; offset += PIECE) {
      for (let block = 0; block < PIECE; block += BLOCK) piece.writeBigUInt64LE(BigInt(offset + block), block)
      await file.write(piece, 0, PIECE, offset)
    }
    await file.close()
  }

  /** A full image; the same one each time it is asked for. */
  async filled(contender: Contender): Promise<string> {
    const { id, format, maker } = contender
    const known = this.full.get(id)
    if (known !== undefined) return known
    const image = join(this.directory, `full-${id}.${format}`)
    if (maker === 'rawmount') {
      await create(contender, image, { size: this.size })
      this.fill(image)
    } else await run('qemu-img', ['convert', '-f', 'raw', '-O', format, this.template, image])
    this.full.set(id, image)
    return image
  }

  /** Makes room: full images are made anew when they are asked for again. */
  async removeFilled(): Promise<void> {
    for (const image of this.full.values()) await this.remove(image)
    this.full.clear()
  }

  /** A new image with nothing in it. */
  async empty(kind: ImageKind, size: number): Promise<string> {
    const image = this.fresh(kind.format)
    await create(kind, image, { size })
    return image
  }

  /** A new image with nothing in it, on top of the template; of a raw file, which cannot be, just a sparse one. */
  async overlay(kind: ImageKind): Promise<string> {
    if (kind.format === 'raw') return this.empty(kind, this.size)
    const image = this.fresh(kind.format)
    await create(kind, image, { base: this.template })
    return image
  }

  async remove(image: string): Promise<void> {
    // Shortened first: the blocks of a large file take a while, which is not to fall into the next measurement.
    await truncate(image)
    await rm(image)
  }

  /** A path that nothing has yet. */
  fresh(extension: string): string {
    this.made++
    return join(this.directory, `${this.made}.${extension}`)
  }

  /**
   * Leaves as much memory free as a new image may take in the page cache. Else whoever comes when old caches fill the
   * memory waits for the kernel to take them apart, which is several times slower than the writes.
   */
  async makeRoom(): Promise<void> {
    const scratch = this.fresh('scratch')
    await run('dd', ['if=/dev/zero', `of=${scratch}`, 'bs=1M', `count=${this.size / PIECE}`, 'status=none'])
    await this.remove(scratch)
  }

  /** Reads a file once, so that it is in the page cache. */
  async warm(path: string): Promise<void> {
    await run('dd', [`if=${path}`, 'of=/dev/null', 'bs=1M', 'status=none'])
  }

  /** Throws unless blocks all over a disk hold what the template holds. */
  async checkContents(path: string): Promise<void> {
    const disk = await open(path)
    const template = await open(this.template)
    try {
      const blocks = Math.floor(this.size / BLOCK)
      for (let sample = 0; sample < SAMPLES; sample++) {
        const offset = Math.floor((sample * blocks) / SAMPLES) * BLOCK
        const seen = await disk.read(Buffer.alloc(BLOCK), 0, BLOCK, offset)
        const wanted = await template.read(Buffer.alloc(BLOCK), 0, BLOCK, offset)
        if (!seen.buffer.equals(wanted.buffer)) throw new Error(`${path}: wrong bytes at ${offset}`)
      }
    } finally {
      await disk.close()
      await template.close()
    }
  }

  /** As qemu-img convert would, by the library. */
  private fill(path: string): void {
    const template = openSync(this.template, 'r')
    const image = openImage(path, { writable: true })
    const piece = new IoBuffer(PIECE)
    try {
      for (let offset = 0; offset < this.size; offset += PIECE) {
        if (pread(template, piece.address, PIECE, offset) !== PIECE)
          throw new Error(`${this.template}: short read`)
        image.disk.write(offset, PIECE, piece, 0)
      }
    } finally {
      image.close()
      closeSync(template)
    }
  }
}

/** As users do. A base is raw, and its size that of the image. */
async function create(
  { format, maker, options }: ImageKind,
  image: string,
  { size, base }: { size?: number; base?: string },
): Promise<void> {
  const given = ['create', '-q', '-f', format]
  if (options !== undefined) given.push('-o', options)
  if (base !== undefined) given.push('-b', base, '-F', 'raw')
  given.push(image)
  if (size !== undefined) given.push(`${size}`)
  if (maker === 'rawmount') await run(process.execPath, [RAWMOUNT, ...given])
  else await run('qemu-img', given)
}
