import type { StorageFile } from '../storage/storage-file.js'
import type { CompanionDescription } from './descriptions.js'
import type { Disk } from './disk.js'
import { ImageFile } from './image-file.js'

/** The file that has the data of an image whose own file has not: plain, or an image itself. */
export interface Companion {
  /** Another one after beginWriting(). */
  readonly file: StorageFile
  describe(): CompanionDescription
  beginWriting(): void
  /** An image is left as cleanly closed. */
  finish(): void
  /** @see StorageFile.letGo */
  letGo(): void
  /** Closes the files. */
  drop(): void
}

export class PlainCompanion implements Companion {
  constructor(readonly file: StorageFile) {}

  describe(): CompanionDescription {
    return { kind: 'file', file: this.file.describe() }
  }

  beginWriting(): void {}

  finish(): void {}

  letGo(): void {
    this.file.letGo()
  }

  drop(): void {
    this.file.close()
  }
}

/** An image with its bases, opened for reading first. */
interface OpenedChain {
  /** The disk as it was opened last. */
  disk(writable: boolean): Disk
  beginWriting(): void
  finish(): void
  letGo(): void
  drop(): void
}

export class ImageCompanion implements Companion {
  file: StorageFile
  private disk: Disk

  constructor(
    private readonly chain: OpenedChain,
    private readonly path: string,
  ) {
    this.disk = chain.disk(false)
    this.file = new ImageFile(this.disk, path)
  }

  describe(): CompanionDescription {
    return { kind: 'image', path: this.path, disk: this.disk.describe() }
  }

  beginWriting(): void {
    this.chain.beginWriting()
    this.disk = this.chain.disk(true)
    this.file = new ImageFile(this.disk, this.path)
  }

  finish(): void {
    if (this.disk.writable) this.disk.finish()
    this.chain.finish()
  }

  letGo(): void {
    this.chain.letGo()
  }

  drop(): void {
    this.chain.drop()
  }
}
