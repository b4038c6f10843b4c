import { ImageError } from '../errors.js'
import type { CopySettings } from '../formats/copy-settings.js'
import { isWritable, type WritableDriver } from '../formats/driver.js'
import type { BackingReference, Format, OpenedImage } from '../formats/format.js'
import { RangeLock } from '../shared/range-lock.js'
import type { StorageFile, StorageHost } from '../storage/storage-file.js'
import { tracer } from '../trace.js'
import { BaseWriter, type BaseWriterDescription } from './base-writer.js'
import { Committer } from './committer.js'
import { type Companion, ImageCompanion, PlainCompanion } from './companion.js'
import { describeCopying } from './copying.js'
import type { DiskDescription } from './descriptions.js'
import { Disk } from './disk.js'
import { DEPTH_LIMIT, type OpenGate } from './gate.js'
import type { Layer } from './layer.js'
import { formatOfBacking, formatOfData } from './probe.js'
import { type BaseUse, mustTakeWrites } from './write-base.js'

const log = tracer('disk')

/** One image of a chain. */
export interface Member {
  readonly file: StorageFile
  readonly format: Format
  readonly opened: OpenedImage
  /** Has the data of the image, when its own file has not. */
  readonly companion: Companion | null
}

/** What all images that one open leads to have in common. */
export interface ChainContext {
  readonly host: StorageHost
  readonly gate: OpenGate
  readonly metadataCache: number
  readonly allowStorageCommand: boolean
  readonly forceShare: boolean
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/**
 * An image and what it stands on, while it is being opened: first everything for reading, then, when the whole chain
 * is known to open, the image itself for writing. So an open that fails has changed nothing.
 */
export class Chain {
  readonly members: Member[] = []
  private baseUse: BaseUse = 'no'

  /** `above`: images that lead here, for the limit of the depth; `writable`: beginWriting() will be called. */
  constructor(
    private readonly context: ChainContext,
    private readonly writable: boolean,
    private readonly above = 0,
  ) {}

  /**
   * Takes over `file`, and opens it and its bases; `chooseBaseUse` says, when the image is known, whether its base is
   * to be written, too. Throws ImageError; what was opened is closed by drop().
   */
  open(
    file: StorageFile,
    choose: () => Format,
    chooseBaseUse: (top: OpenedImage) => BaseUse = () => 'no',
  ): void {
    const { gate } = this.context
    const top = this.add(file, choose)
    this.baseUse = chooseBaseUse(top.opened)
    for (let last = top; last.opened.backing !== null; ) {
      const { name, format } = last.opened.backing
      const above = last
      const writable = above === top && this.baseUse !== 'no'
      const base = gate.openBacking(name, above.file.path, this.remaining, writable)
      last = this.add(base.file, () => formatOfBacking(base.file, format))
      if (this.writable && above === top) mustCover(above, last)
      if (writable) mustTakeWrites(last, top.opened, this.baseUse)
    }
  }

  /** `size`: as a larger disk, see OpenOptions.size. */
  beginWriting(size?: number): void {
    if (log.enabled) log('%s: begins to be written', this.members[0]!.file.path)
    const [top, base] = this.members as [Mutable<Member>, Mutable<Member>]
    if (this.baseUse === 'no') {
      this.beginWritingTo(top, size)
      return
    }
    this.beginWritingTo(base)
    try {
      // A base can take what the image has of an image that is only read.
      if (top.file.writable) this.beginWritingTo(top)
    } catch (error) {
      // It was marked as open, and nothing was written to it.
      if (isWritable(base.opened.driver)) base.opened.driver.finish()
      throw error
    }
  }

  private beginWritingTo(member: Mutable<Member>, size?: number): void {
    const companion = (): StorageFile => {
      member.companion!.beginWriting()
      return member.companion!.file
    }
    member.opened = member.format.open(member.file, {
      ...this.openOptions(true),
      ...(size !== undefined && { size }),
      companion,
    })
  }

  /** The disk that the chain shows, as it was opened last. */
  disk(writable: boolean, copying: CopySettings | null = null): Disk {
    const layers = this.layers()
    return new Disk(layers, {
      ...this.describe(0, writable),
      copying: copying && describeCopying(layers, copying),
      baseWriter: writable ? this.describeBaseWriter() : null,
    })
  }

  /** The disk that the base shows by itself; only when it is written. */
  baseDisk(): Disk {
    return new Disk(this.layers().slice(1), this.describe(1, true))
  }

  layers(): Layer[] {
    return this.members.map(({ file, opened, companion }) => ({
      file,
      driver: opened.driver,
      companion: companion?.file ?? null,
    }))
  }

  /** The images from this one on as a disk. */
  private describe(from: number, writable: boolean): DiskDescription {
    const layers = this.layers().slice(from)
    return {
      writable,
      layers: this.members.slice(from).map(({ file, format, opened, companion }) => ({
        format: format.name,
        file: file.describe(),
        driver: opened.describe(),
        companion: companion?.describe() ?? null,
      })),
      locks: RangeLock.allocate(),
      commits: Committer.allocate(),
      allocatedBelow: layers.slice(1).reduce((sum, layer) => sum + allocated(layer), 0),
      copying: null,
      baseWriter: null,
    }
  }

  private describeBaseWriter(): BaseWriterDescription | null {
    const use = this.baseUse
    if (use === 'no' || use === 'commit') return null
    const [image, base] = this.members.map(({ opened }) => opened.driver)
    const size = Math.min(image!.size, base!.size, (image as WritableDriver).absentEnd)
    return BaseWriter.describe(use, size, this.describe(1, true))
  }

  /** The bases are not needed any more, and may be deleted; threads that still look at them get errors. */
  letGoOfBases(): void {
    this.letGo(1)
  }

  /** Of the images from this one on. */
  letGo(from = 0): void {
    for (const { file, companion } of this.members.slice(from)) {
      file.letGo()
      companion?.letGo()
    }
  }

  /** Data files that are images are left as cleanly closed. */
  finish(): void {
    for (const { companion } of this.members) companion?.finish()
  }

  /** Closes every file. */
  drop(): void {
    for (const { file, companion } of this.members.splice(0)) {
      companion?.drop()
      file.close()
    }
  }

  private get remaining(): number {
    return DEPTH_LIMIT - this.above - this.members.length
  }

  private add(file: StorageFile, choose: () => Format): Member {
    // In the list first: whatever fails next, the file is closed.
    const member = { file, companion: null } as unknown as Mutable<Member>
    this.members.push(member)
    if (!this.context.forceShare) this.context.host.lock(file)
    member.format = choose()
    member.opened = member.format.open(file, {
      ...this.openOptions(false),
      companion: reference => {
        member.companion = this.openCompanion(reference, file.path, this.writable && file.writable)
        return member.companion.file
      },
    })
    if (log.enabled) log('%s: opened for reading, as %s', file.path, member.format.name)
    return member
  }

  private openOptions(writable: boolean) {
    const { metadataCache, allowStorageCommand } = this.context
    return { writable, metadataCache, allowStorageCommand }
  }

  /** The file that has the data of the image at `imagePath`; opened for reading first, as the image is. */
  openCompanion(reference: BackingReference, imagePath: string, writable: boolean): Companion {
    const { context } = this
    const file = context.gate.openData(reference.name, imagePath, writable, this.remaining)
    let format: Format
    try {
      format = formatOfData(file, reference.format, imagePath)
      if (format.name === 'raw') {
        if (!context.forceShare) context.host.lock(file)
        return new PlainCompanion(file)
      }
    } catch (error) {
      file.close()
      throw error
    }
    const chain = new Chain(context, writable, this.above + this.members.length)
    try {
      chain.open(file, () => format)
      return new ImageCompanion(chain, file.path)
    } catch (error) {
      chain.drop()
      throw error
    }
  }
}

function allocated({ file, companion }: Layer): number {
  return file.allocated() + (companion?.allocated() ?? 0)
}

/**
 * A base that has become shorter has lost something: what is missing would read as zeros, and could be kept as such. An
 * image that is only read shows what there is.
 */
function mustCover(image: Member, base: Member): void {
  const { size } = base.opened.driver
  const needed = image.opened.backingSize ?? 0
  if (size >= needed) return
  throw new ImageError(
    'CORRUPT',
    `${image.file.path}: its base ${base.file.path} has ${size} bytes, and had ${needed} when the image was made; bring back the whole base, or mount with -r what there is`,
  )
}
