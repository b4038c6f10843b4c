import type { StorageFile } from '../storage/storage-file.js'
import type { FormatDriver } from './driver.js'

/** One entry of the registry: what a format can do, without an open image. */
export interface Format {
  readonly name: string
  /** True when `head`, the first bytes of a file (at most PROBE_LENGTH), carries the format's magic. */
  probe(head: Uint8Array): boolean
  /**
   * Validates and opens. An image opened for writing is recovered first when its format says so; one opened
   * read-only is not changed by a byte. Throws ImageError CORRUPT or FORMAT_UNSUPPORTED; an open that fails
   * changes nothing.
   */
  open(file: StorageFile, options: OpenOptions): OpenedImage
  /** The driver in another thread, from what describe() gave there. */
  attach(description: unknown, file: StorageFile): FormatDriver
  /** Absent for formats without metadata to check (raw): `rawmount check` exits with 63. */
  check?(file: StorageFile, repair: Repair): CheckReport
  /**
   * Empties the file and writes an empty image into it. Throws ImageError INVALID for options that cannot work, and
   * then has not touched the file.
   */
  create(file: StorageFile, options: CreateOptions): void
  /** Names and meaning of the -o options that create() takes. */
  readonly createOptions: Readonly<Record<string, string>>
}

export const PROBE_LENGTH = 4096

export interface OpenOptions {
  readonly writable: boolean
  /** Bytes of memory for cached metadata, for formats that cannot keep all of it. */
  readonly metadataCache: number
}

export interface OpenedImage {
  readonly driver: FormatDriver
  /** The backing file as the header names it, unresolved; null without one. */
  readonly backing: BackingReference | null
  /** A plain object, SharedArrayBuffers in it, that attach() takes in any thread. */
  describe(): unknown
  /** Facts for `rawmount info` and the status file, under the keys that qemu-img uses where it has them. */
  readonly info: ImageFacts
}

export interface BackingReference {
  readonly name: string
  /** The format that the header records; null = probe. */
  readonly format: string | null
}

export interface ImageFacts {
  /** Bytes; absent for formats without clusters. */
  readonly clusterSize?: number
  /** The image was not closed cleanly (QED: NEED_CHECK). */
  readonly dirty: boolean
  /** Further header fields of the format, for people and JSON. */
  readonly specific: Readonly<Record<string, string | number | boolean | readonly string[]>>
}

export type Repair = 'none' | 'leaks' | 'all'

export interface CheckReport {
  /** One line for each thing found, most important first; at most some hundreds. */
  readonly findings: readonly string[]
  /** What is left after the repair. */
  readonly corruptions: number
  readonly leaks: number
  readonly corruptionsFixed: number
  readonly leaksFixed: number
  /** Failures of the check itself (a read that failed): the result is incomplete. */
  readonly errors: number
  readonly totalClusters: number
  readonly allocatedClusters: number
  readonly fragmentedClusters: number
  /** End of the last cluster in use, bytes. */
  readonly imageEndOffset: number
}

export interface CreateOptions {
  /** Virtual size in bytes. */
  readonly size: number
  /** As it will stand in the header. */
  readonly backing: BackingReference | null
  /** The -o options, as given. */
  readonly options: ReadonlyMap<string, string>
}
