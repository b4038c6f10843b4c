import type { FileDescription } from '../storage/storage-file.js'

/** An open disk as other threads attach to it (attach.ts): plain data and SharedArrayBuffers. */
export interface DiskDescription {
  readonly writable: boolean
  readonly layers: readonly LayerDescription[]
  readonly locks: SharedArrayBuffer
  readonly commits: SharedArrayBuffer
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
