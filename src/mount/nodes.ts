import type { AttributeChange, Attributes, Caching } from '../fuse/file-system.js'
import { errno, SystemError } from '../libc/errno.js'
import type { IoBuffer } from '../libc/io-buffer.js'

/** What the tree asks of a file in it. Methods as in FileSystem, without the inode. */
export interface FileNode {
  readonly name: string
  readonly caching: Caching
  attributes(out: Attributes): void
  change(change: AttributeChange): void
  open(flags: number): number
  read(handle: number, buffer: IoBuffer, at: number, length: number, offset: number): number
  write(handle: number, buffer: IoBuffer, at: number, length: number, offset: number): number
  release(handle: number): void
  sync(): void
  allocate(mode: number, offset: number, length: number): void
  seek(offset: number, whence: number): number
  /** Of a file that shows bytes which another file shows, too. */
  readonly coherence?: Coherence | undefined
  /** As FileSystem.control; ENOTTY when it is missing. */
  control?(command: number, out: Uint8Array): number
}

/** As FileSystem has it, without the inode. */
export interface Coherence {
  outdates(): boolean
  take(): readonly OutdatedPart[]
  dropped(): void
}

export interface OutdatedPart {
  /** A file of the same directory: its name, or its id if it is a changing one. */
  readonly file: string | number
  readonly offset: number
  readonly length: number
}

export interface DirectoryNode {
  readonly name: string
  readonly children: readonly TreeNode[]
  /** Files that come and go, beside the children. */
  readonly changing?: ChangingFiles
}

/**
 * Files of a directory that come and go. Each has an id, a number from 1 to 2^32 - 1 that never means another file, and
 * is the same in every worker. A file that is gone from the directory can still be asked for by its id, while it is open.
 */
export interface ChangingFiles {
  /** The id of the file that has the name now; 0 when none has. */
  lookup(name: string): number
  /** The ids of all that are there now. */
  list(): readonly number[]
  /** Null when nobody remembers it. */
  file(id: number): FileNode | null
}

export type TreeNode = FileNode | DirectoryNode

export function isDirectory(node: TreeNode): node is DirectoryNode {
  return 'children' in node
}

/** The failure of an operation that the file at `name` does not have, or not in this way. */
export function refuse(code: keyof typeof errno, operation: string, name: string): SystemError {
  return new SystemError(errno[code], operation, name)
}

/** Bits of open(2)'s flags that tell reading from writing, O_RDONLY being 0. */
export const O_ACCMODE = 3
