import type { StorageFile } from '../storage/storage-file.js'
import type { CopySettings } from './copy-settings.js'
import type { FormatDriver } from './driver.js'
import type { ProfileStore } from './profile.js'

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
  /**
   * What the header says, for an image whose data nobody asks for; absent where open() needs no other file and little
   * time. Throws as open() does.
   */
  inspect?(file: StorageFile): InspectedImage
  /**
   * The files that the header names, unresolved, also of an image that cannot be opened here; absent where inspect() or
   * open() tell all. Throws ImageError for a header that cannot be read.
   */
  names?(file: StorageFile): NamedFiles
  /**
   * The place of the image for a profile of its base, where it has one, without opening it; absent for formats
   * without such a place. Throws as open() does.
   */
  profile?(file: StorageFile): ProfileStore | undefined
  /** The driver in another thread, from what describe() gave there; `companion` is what open() asked for, if it did. */
  attach(description: unknown, file: StorageFile, companion: StorageFile | null): FormatDriver
  /** Absent for formats without metadata to check (raw): `rawmount check` exits with 63. */
  check?(file: StorageFile, repair: Repair, options: CheckOptions): CheckReport
  /**
   * Empties the file and writes an empty image into it. Throws ImageError INVALID for options that cannot work, and
   * then has not touched the file. Absent for formats that are only read.
   */
  create?(file: StorageFile, options: CreateOptions): void
  /**
   * How much room a new image with this data takes; present with create(). Throws as create() does for options that
   * cannot work. `options.companion` is not called.
   */
  measure?(path: string, options: CreateOptions, data: BaseContents): Measured
  /**
   * Changes header fields, all or none of them; absent for formats without fields to change. Throws ImageError INVALID
   * for a field or value that cannot be, and then has not touched the file.
   */
  update?(file: StorageFile, changes: ReadonlyMap<string, string>): void
  /**
   * What can be in the base is absent from now on, durably: tables first, then the storage is given back. A power cut in
   * between leaves an image of which less is absent, so the base must have, durably, what the image shows. The image is
   * cleanly closed and has a base; `companion`: the file that has its data, if its own has not. Absent where a format
   * cannot.
   */
  empty?(file: StorageFile, companion: StorageFile | null): void
  /**
   * Names another backing file in the header, durably; null: none. After a power cut the header names the old one or
   * the new one, each with its own format. Throws ImageError INVALID or FORMAT_UNSUPPORTED for an image that cannot have
   * it, and then has not touched the file. Absent where a format cannot.
   */
  setBacking?(file: StorageFile, backing: NewBacking | null): void
  /** Throws what setBacking() would refuse, and changes nothing; present with it. */
  checkBacking?(file: StorageFile, backing: NewBacking | null): void
  /** The fields that update() can change in this image; present with update(). Throws as it does. */
  updatable?(file: StorageFile): UpdatableHeader
  /** Gives the disk another size; absent for formats that are only read. */
  readonly resizing?: Resizing
  /** Names and meaning of the -o options that create() takes. */
  readonly createOptions: Readonly<Record<string, string>>
}

export const PROBE_LENGTH = 4096

export interface OpenOptions {
  readonly writable: boolean
  /** Bytes of memory for cached metadata, for formats that cannot keep all of it. */
  readonly metadataCache: number
  /**
   * Opens the file that has the data of this image, when its header names one; as writable as the image. Asked at most
   * once, and closed by who opened the image.
   */
  companion(reference: BackingReference): StorageFile
  /** A shell command that the header names for making room may be run. */
  readonly allowStorageCommand: boolean
  /** Bytes: opens for writing as a disk larger than the header says, which stays as it is; see Resizing.opensLarger. */
  readonly size?: number
}

export interface Resizing {
  /** Throws ImageError INVALID, with the next step, for a size (bytes, at least 1) that the image at hand cannot have. */
  mustFit(file: StorageFile, size: number): void
  /**
   * Changes the size; what a larger disk has more reads as zeros, now and after any other change of size. `file` is an
   * image that was closed cleanly and that mustFit() accepts. Durable when it returns. When it throws, and after a power
   * cut at any moment, the image has the old size or the new one, is sound, and shows what it did up to there.
   */
  resize(file: StorageFile, size: number, options: Pick<OpenOptions, 'companion'>): void
  /**
   * open() takes a `size`, and whoever makes the disk larger has to open it so first and zero what shows behind the old
   * end: there may be clusters, or the base.
   */
  readonly opensLarger?: boolean
}

export interface InspectedImage {
  /** Virtual size in bytes. */
  readonly size: number
  /** The backing file as the header names it, unresolved; null without one. */
  readonly backing: BackingReference | null
  /** Facts for `rawmount info` and the status file, under the keys that qemu-img uses where it has them. */
  readonly info: ImageFacts
}

export interface OpenedImage {
  readonly driver: FormatDriver
  /** As inspected. */
  readonly backing: BackingReference | null
  readonly info: ImageFacts
  /** Bytes that the backing file has at least, as the image was made on it; absent where the format does not say. */
  readonly backingSize?: number
  /** A plain object, SharedArrayBuffers in it, that attach() takes in any thread. */
  describe(): unknown
  /** What the user must know of this image, one line each, with the next step; most images have none. */
  readonly warnings?: readonly string[]
  /** How the image wants to be filled from its base; absent for formats that cannot say. */
  readonly copySettings?: CopySettings
  /** Why what the settings say of prefetching, or of copy-on-read, cannot work, with the next step: it is off there. */
  readonly prefetchFault?: string | null
  readonly copyOnReadFault?: string | null
  /** Its place for a profile of the base; absent where there is none. */
  readonly profile?: ProfileStore
}

export interface UpdatableHeader {
  readonly fields: readonly HeaderField[]
  /** Bytes that the backing file has at least; 0 when none is needed. */
  readonly backingSize: number
  /** Bytes that a data file has at least when it is not empty. */
  readonly dataSize: number
}

export interface HeaderField {
  readonly name: string
  /** For people, with its unit. */
  readonly meaning: string
  readonly value: number | string
  /** It names another file, or says how to open one. */
  readonly leads: boolean
}

export interface BackingReference {
  readonly name: string
  /** The format that the header records; null = probe. */
  readonly format: string | null
}

/** Null: none is named. */
export interface NamedFiles {
  readonly backing: string | null
  /** The file that has the data, when the image's own has not. */
  readonly data: string | null
}

/** A backing file as it will be named. */
export interface NewBacking extends BackingReference {
  /** Bytes that it shows, as far as the image uses them; null: nobody looked. */
  readonly size: number | null
}

export interface ImageFacts {
  /** Bytes; absent for formats without clusters. */
  readonly clusterSize?: number
  /** The image was not closed cleanly (QED: NEED_CHECK). */
  readonly dirty: boolean
  /** Further header fields of the format, for people and JSON. */
  readonly specific: Readonly<Record<string, string | number | boolean | readonly string[]>>
}

/** As in OpenOptions; the file is as writable as the image. */
export type CheckOptions = Pick<OpenOptions, 'companion'>

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
  /** What the backing file shows; null when there is none, or it was not to be opened. */
  readonly base: BaseContents | null
  /** The -o options, as given. */
  readonly options: ReadonlyMap<string, string>
  /** Makes the file that is to have the data of the image, named relative to it; closed by who asked for the image. */
  companion(reference: BackingReference): StorageFile
}

/** Lengths of files in bytes, as `qemu-img measure` tells them: what a block device must have for the image. */
export interface Measured {
  /** With the data that there is. */
  readonly required: number
  /** When all of the disk has been written. */
  readonly fullyAllocated: number
}

/** A backing file as an image that is made on it needs to know it. */
export interface BaseContents {
  /** Bytes. */
  readonly size: number
  /** The end of the stretch from `offset` on that is known, without reading it, to be zeros; `offset` when there is none. */
  zerosUntil(offset: number): number
  /** The end of the stretch from `offset` on that may be other than zeros; `offset` when there is none. */
  dataUntil(offset: number): number
}
