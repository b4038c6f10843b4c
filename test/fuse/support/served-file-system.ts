import type { FileSystem } from '../../../src/fuse/file-system.js'
import { pread, pwrite } from '../../../src/libc/files.js'
import type { IoBuffer } from '../../../src/libc/io-buffer.js'
import { DISK, MemoryFileSystem } from './memory-file-system.js'

/** What a server shows: the memory file system, or one whose disk.raw is a real file, for figures. */
export interface ServedDescription {
  readonly memory: SharedArrayBuffer
  readonly faultOffset?: number
  readonly backing?: { readonly fd: number; readonly size: number }
}

export function attachServed(served: ServedDescription): FileSystem {
  return served.backing
    ? new FileBackedFileSystem(served.backing.fd, served.backing.size)
    : new MemoryFileSystem(served.memory, served.faultOffset)
}

class FileBackedFileSystem extends MemoryFileSystem {
  constructor(
    private readonly fd: number,
    private readonly bytes: number,
  ) {
    super(new SharedArrayBuffer(0))
  }

  override attributes(inode: number, out: Parameters<FileSystem['attributes']>[1]): void {
    super.attributes(inode, out)
    if (inode === DISK) out.size = this.bytes
  }

  override read(
    _inode: number,
    _handle: number,
    buffer: IoBuffer,
    at: number,
    length: number,
    offset: number,
  ): number {
    return pread(this.fd, buffer.address + at, length, offset)
  }

  override write(
    _inode: number,
    _handle: number,
    buffer: IoBuffer,
    at: number,
    length: number,
    offset: number,
  ): number {
    return pwrite(this.fd, buffer.address + at, length, offset)
  }
}
