import type { FileDescription } from '../storage/storage-file.js'
import type { BaseWriterDescription } from './base-writer.js'
import type { CopyingDescription } from './copying.js'

/** An open disk as other threads attach to it (attach.ts): plain data and SharedArrayBuffers. */
export interface DiskDescription {
  readonly writable: boolean
  readonly layers: readonly LayerDescription[]
  readonly locks: SharedArrayBuffer
  readonly commits: SharedArrayBuffer
  /** Bytes of storage that the files of the bases occupied at the open. */
  readonly allocatedBelow: number
  /** Null where nothing is copied from the base. */
  readonly copying: CopyingDescription | null
  /** Null where writes go to the image alone, as they do but for --write-base. */
  readonly baseWriter: BaseWriterDescription | null
}

/** One image of its chain. */
export interface LayerDescription {
  readonly format: string
  readonly file: FileDescription
  /** The file that has the data of the image, when its own has not. */
  readonly companion: CompanionDescription | null
  readonly driver: unknown
}

export type CompanionDescription =
  | { readonly kind: 'file'; readonly file: FileDescription }
  | { readonly kind: 'image'; readonly path: string; readonly disk: DiskDescription }
