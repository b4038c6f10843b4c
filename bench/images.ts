import { randomFillSync } from 'node:crypto'
import { open, rm, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { checkImage as check } from '../src/disk/check.js'
import type { Contender } from './contenders/contender.js'
import { BLOCK } from './pattern.js'
import { run } from './program.js'

/** Of QED images made without a word about it. */
export const CLUSTER = 65536

const PIECE = 1 << 20
const SAMPLES = 64

/**
 * The images of a run. One template, full of random bytes in which every block has its offset at its start, and from
 * it for each contender a copy of its own; empty images are made for each measurement.
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
  async filled({ id, format }: Contender): Promise<string> {
    const known = this.full.get(id)
    if (known !== undefined) return known
    const image = join(this.directory, `full-${id}.${format}`)
    await run('qemu-img', ['convert', '-f', 'raw', '-O', format, this.template, image])
    this.full.set(id, image)
    return image
  }

  /** A new image with nothing in it. */
  async empty({ format }: Contender, size: number): Promise<string> {
    const image = this.fresh(format)
    await run('qemu-img', ['create', '-q', '-f', format, image, `${size}`])
    return image
  }

  /** A new image with nothing in it, on top of the template. */
  async overlay(): Promise<string> {
    const image = this.fresh('qed')
    await run('qemu-img', ['create', '-q', '-f', 'qed', '-b', this.template, '-F', 'raw', image])
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
}

/**
 * The number of allocated clusters. Throws when anything is wrong. Not by qemu-img check, which the tests compare with
 * this one: it reports a leak that is not there in any QED file of 65535 clusters or more, its own among them.
 */
export async function checkImage(image: string): Promise<number> {
  const report = check(image, { format: 'qed' }).report!
  if (report.findings.length > 0) throw new Error(`${image}: ${report.findings[0]}`)
  return report.allocatedClusters
}
