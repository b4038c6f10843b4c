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
}

export interface DirectoryNode {
  readonly name: string
  readonly children: readonly TreeNode[]
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
