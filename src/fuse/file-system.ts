import type { IoBuffer } from '../libc/io-buffer.js'

/**
 * What a transport serves: the operations of a small file system, all synchronous. A transport calls them with
 * numbers and buffers that live only for the call; a failure is thrown, with the errno in its `errno`.
 * Inode numbers are the file system's own, exact numbers, and never mean another file; 1 is the root.
 */
export interface FileSystem {
  /** The inode of `name` in directory `parent`; ENOENT. */
  lookup(parent: number, name: string): number
  /** Whether the name that led to the inode always will. */
  lasting(inode: number): boolean
  attributes(inode: number, out: Attributes): void
  /** Changes what `change` says (fields that are null stay) and leaves the outcome in `out`. */
  change(inode: number, change: AttributeChange, out: Attributes): void
  /** Opens for the access in `flags` (man 2 open). Returns the handle, a number below 2^32. */
  open(inode: number, flags: number): number
  /** How the kernel may cache what is read from the inode. */
  caching(inode: number): Caching
  /** Bytes read to `buffer` at `at`; fewer than `length` only at the end. */
  read(inode: number, handle: number, buffer: IoBuffer, at: number, length: number, offset: number): number
  write(inode: number, handle: number, buffer: IoBuffer, at: number, length: number, offset: number): number
  /** Called at each close(2) of a descriptor. */
  flush(inode: number, handle: number): void
  /** The last descriptor of the handle is gone; returned errors reach nobody. */
  release(inode: number, handle: number): void
  sync(inode: number, handle: number): void
  allocate(inode: number, handle: number, mode: number, offset: number, length: number): void
  /** SEEK_DATA and SEEK_HOLE: the offset found; ENXIO beyond the last data or the end. */
  seek(inode: number, handle: number, offset: number, whence: number): number
  /** All entries, "." and ".." among them, always in the same order. */
  entries(inode: number): readonly DirectoryEntry[]
  statistics(out: FileSystemStatistics): void
  /** Whether what was written through the inode may be outdated in pages of others; see takeOutdated(). */
  outdates(inode: number): boolean
  /**
   * The pages to drop before a FSYNC or FLUSH of the inode is answered. When they are dropped droppedOutdated()
   * must be called, also after a failure.
   */
  takeOutdated(inode: number): readonly OutdatedPages[]
  droppedOutdated(inode: number): void
  /**
   * Answers an ioctl(2) that wants data only: leaves them in `out`, returns how many bytes. ENOTTY where there
   * is none.
   */
  control(inode: number, command: number, out: Uint8Array): number
}

/** A part of an inode that the kernel may have an old version of; bytes. */
export interface OutdatedPages {
  readonly inode: number
  readonly offset: number
  readonly length: number
}

export interface DirectoryEntry {
  readonly name: string
  readonly inode: number
  readonly directory: boolean
}

/** "cached": the page cache is kept between opens; "direct": each read and write comes through. */
export type Caching = 'cached' | 'direct'

/**
 * As in struct stat; times in nanoseconds are split, so that they stay exact. One object per thread, reused.
 */
export class Attributes {
  inode = 0
  size = 0
  /** In units of 512 bytes. */
  blocks = 0
  mode = 0
  links = 1
  uid = 0
  gid = 0
  atime = 0
  atimeNanoseconds = 0
  mtime = 0
  mtimeNanoseconds = 0
  ctime = 0
  ctimeNanoseconds = 0
}

/** One object per thread, reused. */
export class AttributeChange {
  mode: number | null = null
  uid: number | null = null
  gid: number | null = null
  size: number | null = null
  /** Seconds; 'now' for the time of the call. */
  atime: number | 'now' | null = null
  atimeNanoseconds = 0
  mtime: number | 'now' | null = null
  mtimeNanoseconds = 0
  ctime: number | null = null
  ctimeNanoseconds = 0
}

/** As in struct statvfs; `blockSize` is the unit of the block counts. */
export class FileSystemStatistics {
  blockSize = 4096
  blocks = 0
  blocksFree = 0
  files = 0
  nameLength = 255
}
