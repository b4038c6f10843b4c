import type { BackingReference, Format, OpenedImage } from '../formats/format.js'
import { RangeLock } from '../shared/range-lock.js'
import type { StorageFile, StorageHost } from '../storage/storage-file.js'
import { Committer } from './committer.js'
import { type Companion, ImageCompanion, PlainCompanion } from './companion.js'
import { Disk } from './disk.js'
import { DEPTH_LIMIT, type OpenGate } from './gate.js'
import { formatOfBacking, formatOfData } from './probe.js'

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

  /** `above`: images that lead here, for the limit of the depth; `writable`: beginWriting() will be called. */
  constructor(
    private readonly context: ChainContext,
    private readonly writable: boolean,
    private readonly above = 0,
  ) {}

  /** Takes over `file`, and opens it and its bases. Throws ImageError; what was opened is closed by drop(). */
  open(file: StorageFile, choose: () => Format): void {
    const { gate } = this.context
    let last = this.add(file, choose)
    while (last.opened.backing !== null) {
      const { name, format } = last.opened.backing
      const base = gate.openBacking(name, last.file.path, this.remaining)
      last = this.add(base.file, () => formatOfBacking(base.file, format))
    }
  }

  beginWriting(): void {
    const [top] = this.members as [Mutable<Member>]
    const companion = (): StorageFile => {
      top.companion!.beginWriting()
      return top.companion!.file
    }
    top.opened = top.format.open(top.file, { ...this.openOptions(true), companion })
  }

  /** The disk that the chain shows, as it was opened last. */
  disk(writable: boolean): Disk {
    return new Disk(
      this.members.map(({ file, opened, companion }) => ({
        file,
        driver: opened.driver,
        companion: companion?.file ?? null,
      })),
      {
        writable,
        layers: this.members.map(({ file, format, opened, companion }) => ({
          format: format.name,
          file: file.describe(),
          driver: opened.describe(),
          companion: companion?.describe() ?? null,
        })),
        locks: RangeLock.allocate(),
        commits: Committer.allocate(),
      },
    )
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
    const isTop = this.members.push(member) === 1
    if (!this.context.forceShare) this.context.host.lock(file)
    member.format = choose()
    member.opened = member.format.open(file, {
      ...this.openOptions(false),
      companion: reference => {
        member.companion = this.openCompanion(reference, file.path, isTop && this.writable)
        return member.companion.file
      },
    })
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
