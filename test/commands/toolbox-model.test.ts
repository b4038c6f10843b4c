import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { checkImage } from '../../src/disk/check.js'
import { ImageCommit } from '../../src/disk/commit-image.js'
import { createImage } from '../../src/disk/create.js'
import { openImage } from '../../src/disk/open.js'
import { ImageRebase } from '../../src/disk/rebase-image.js'
import { resizeImage } from '../../src/disk/resize.js'
import { ImageError } from '../../src/errors.js'
import { IoBuffer } from '../../src/libc/io-buffer.js'
import { compareImages } from '../../src/transfer/compare.js'
import { convertImage } from '../../src/transfer/convert.js'
import { Budget } from '../support/budget.js'
import { scratch } from '../support/mounting.js'
import { QEMU } from '../support/qemu.js'
import { type Random, seeded } from '../support/random.js'
import { lacks, run } from '../support/tools.js'

/**
 * The commands that make and change whole images, in any order, on chains of all formats: each image must show after each
 * step what plain bytes in memory do.
 */

const SECTOR = 512
const LARGEST = 700 * 1024
const IMAGES = 6
const STEPS = 25

interface Image {
  readonly path: string
  readonly format: string
  base: Image | null
  bytes: Buffer
}

class Toolbox {
  private readonly images: Image[] = []
  private made = 0
  /** For a failure: what led to it. */
  readonly story: string[] = []

  constructor(
    private readonly directory: string,
    private readonly random: Random,
  ) {}

  async step(): Promise<void> {
    const { random } = this
    if (this.images.length < 2) return this.create()
    const steps = [
      ...Array.from({ length: 3 }, () => () => this.write()),
      ...(this.images.length < IMAGES ? [() => this.create(), () => this.convert()] : []),
      () => this.commit(),
      () => this.rebase(),
      () => this.rebase(),
      () => this.resize(),
      () => this.compare(),
    ]
    await random.pick(steps)()
  }

  /** Throws when an image does not show what it should, or is not sound. */
  verify(): void {
    for (const { path, format, bytes } of this.images) {
      const { report } = checkImage(path, { format })
      if (report !== null && report.corruptions + report.errors + report.leaks > 0)
        throw new Error(`${path}: ${report.findings[0]}`)
      const got = contents(path, format)
      if (got.length !== bytes.length)
        throw new Error(`${path}: has ${got.length} bytes instead of ${bytes.length}`)
      if (Buffer.compare(got, bytes) === 0) continue
      const at = bytes.findIndex((byte, index) => byte !== got[index])
      throw new Error(`${path}: has ${got[at]} instead of ${bytes[at]} at ${at}`)
    }
  }

  /** Throws when QEMU sees something else in an image whose chain it knows. */
  async askQemu(): Promise<void> {
    const raw = join(this.directory, 'model')
    for (const image of this.images) {
      if (chainOf(image).some(({ format }) => format === 'fvd')) continue
      const { path, format, bytes } = image
      writeFileSync(raw, bytes)
      const compare = await run('qemu-img', ['compare', '-f', format, '-F', 'raw', path, raw])
      if (compare.code !== 0) throw new Error(`${path}: ${compare.stdout}${compare.stderr}`)
      if (format !== 'qed') continue
      const check = await run('qemu-img', ['check', path])
      if (check.code !== 0) throw new Error(`${path}: ${check.stdout}${check.stderr}`)
    }
  }

  private create(): void {
    const { random } = this
    const format = random.pick(['raw', 'qed', 'fvd'])
    const base = format !== 'raw' && this.images.length > 0 && random.chance(0.7) ? this.pickBase() : null
    const size = base !== null && random.chance(0.5) ? null : this.drawSize(base?.bytes.length ?? 0)
    const path = this.newPath(format)
    const options = this.drawOptions(format)
    this.tell(`create ${path} ${size} on ${base?.path} ${[...options].join(' ')}`)
    const got = createImage(path, { format, size, options, backing: base && reference(base) })
    const bytes = base === null ? Buffer.alloc(got) : sized(base.bytes, got)
    this.images.push({ path, format, base, bytes })
  }

  private async convert(): Promise<void> {
    const { random } = this
    const source = random.pick(this.images)
    const format = random.pick(['raw', 'qed', 'fvd'])
    const base = format !== 'raw' && random.chance(0.5) ? this.pickBase() : null
    const path = this.newPath(format)
    const options = this.drawOptions(format)
    this.tell(`convert ${source.path} ${path} on ${base?.path} ${[...options].join(' ')}`)
    const { size } = await convertImage(source.path, path, {
      sourceFormat: source.format,
      format,
      options,
      backing: base && reference(base),
      threads: random.between(1, 3),
    })
    this.images.push({ path, format, base, bytes: sized(source.bytes, size) })
  }

  private write(): void {
    const { random } = this
    const image = this.pickLeaf()
    this.tell(`write ${image.path}`)
    const { bytes } = image
    const opened = openImage(image.path, { format: image.format, writable: true })
    try {
      for (let count = random.between(1, 8); count > 0 && bytes.length > 0; count--) {
        const unit = random.pick([1, SECTOR, 4096])
        const offset = Math.floor(random.below(bytes.length) / unit) * unit
        const length = Math.min(random.pick([1, 9, 64, 150]) * unit, bytes.length - offset)
        const value = random.chance(0.3) ? 0 : random.below(256)
        this.tell(`  ${offset}+${length} = ${value}`)
        bytes.fill(value, offset, offset + length)
        if (value === 0 && random.chance(0.6)) opened.disk.zero(offset, length)
        else {
          const buffer = new IoBuffer(length)
          buffer.bytes.fill(value)
          opened.disk.write(offset, length, buffer, 0)
        }
        if (random.chance(0.2)) opened.disk.flush()
      }
    } finally {
      opened.close()
    }
  }

  private commit(): void {
    const image = this.pickLeaf()
    const { base } = image
    if (base === null || this.images.some(other => other !== image && other.base === base)) return
    const keep = this.random.chance(0.3)
    this.tell(`commit ${image.path} into ${base.path}${keep ? ', keep' : ''}`)
    const work = ImageCommit.open(image.path, { format: image.format, keep })
    for (const _ of work.copy());
    work.finish()
    base.bytes = Buffer.concat([image.bytes, base.bytes.subarray(image.bytes.length)])
  }

  private rebase(): void {
    const image = this.pickLeaf()
    if (image.format === 'raw') return
    const others = this.images.filter(other => other !== image)
    const base = this.random.chance(0.2) ? null : this.random.pick(others)
    this.tell(`rebase ${image.path} onto ${base?.path}`)
    try {
      const work = ImageRebase.open(image.path, base && reference(base), { format: image.format })
      for (const _ of work.copy());
      work.finish()
      image.base = base
    } catch (error) {
      // An FVD image that was made without a base cannot get one: refused, and unchanged.
      if (!(error instanceof ImageError && error.message.includes('has no bitmap'))) throw error
    }
  }

  private resize(): void {
    const image = this.pickLeaf()
    const size = this.drawSize(image.bytes.length)
    this.tell(`resize ${image.path} ${size}`)
    const { after } = resizeImage(image.path, size, { format: image.format, shrink: true, force: true })
    image.bytes = sized(image.bytes, after)
  }

  private async compare(): Promise<void> {
    const [one, other] = [this.random.pick(this.images), this.random.pick(this.images)]
    this.tell(`compare ${one.path} ${other.path}`)
    const first = openImage(one.path, { format: one.format })
    const second = openImage(other.path, { format: other.format })
    const said = await compareImages(first, second, { threads: 2 })
    first.close()
    second.close()
    const size = Math.max(one.bytes.length, other.bytes.length)
    const [mine, theirs] = [sized(one.bytes, size), sized(other.bytes, size)]
    const at = mine.findIndex((byte, index) => byte !== theirs[index])
    const found = said.same || said.what !== 'data' ? -1 : said.offset
    if (found !== at) throw new Error(`${one.path}, ${other.path}: differ at ${at}, not ${found}`)
  }

  /** An image that no other one stands on. */
  private pickLeaf(): Image {
    return this.random.pick(this.images.filter(image => this.images.every(({ base }) => base !== image)))
  }

  /** An image on which another one finds room in a chain. */
  private pickBase(): Image {
    return this.random.pick(this.images.filter(image => chainOf(image).length < 8))
  }

  private drawSize(near: number): number {
    const { random } = this
    const size = random.chance(0.4) ? near + random.between(-40, 40) * SECTOR : random.below(LARGEST)
    return Math.max(SECTOR, Math.floor(Math.min(size, LARGEST) / SECTOR) * SECTOR)
  }

  private drawOptions(format: string): Map<string, string> {
    const { random } = this
    if (format === 'qed')
      return new Map([
        ['cluster_size', random.pick(['4096', '8192', '65536'])],
        // QEMU opens no images with a table_size of 1.
        ['table_size', random.pick(['2', '4'])],
      ])
    if (format === 'fvd' && random.chance(0.5)) return new Map([['compact_image', 'on']])
    return new Map()
  }

  private newPath(format: string): string {
    return join(this.directory, `${this.made++}.${format}`)
  }

  private tell(what: string): void {
    this.story.push(what.replaceAll(`${this.directory}/`, ''))
  }
}

function chainOf(image: Image): Image[] {
  return image.base === null ? [image] : [image, ...chainOf(image.base)]
}

function reference({ path, format }: Image) {
  return { name: path, format }
}

/** The bytes with zeros behind them, or cut. */
function sized(bytes: Buffer, size: number): Buffer {
  return Buffer.concat([bytes.subarray(0, size), Buffer.alloc(Math.max(0, size - bytes.length))])
}

function contents(path: string, format: string): Buffer {
  const opened = openImage(path, { format })
  const { size } = opened.disk
  const buffer = new IoBuffer(Math.max(1, size))
  if (size > 0) opened.disk.read(0, size, buffer, 0)
  opened.close()
  return Buffer.from(buffer.bytes.subarray(0, size))
}

test('whatever is done to chains of images, in any order, each shows what it should', async t => {
  if (lacks(t, ...QEMU)) return
  const random = seeded(t)
  const work = await scratch(t)
  const budget = new Budget(4)
  for (let round = 0; budget.next(); round++) {
    const directory = await work.directory(`${round}`)
    const toolbox = new Toolbox(directory, random.fork(round))
    try {
      for (let step = 0; step < STEPS; step++) {
        await toolbox.step()
        toolbox.verify()
      }
      await toolbox.askQemu()
    } catch (error) {
      t.log(`round ${round}:\n${toolbox.story.join('\n')}`)
      throw error
    }
  }
  t.pass()
})
