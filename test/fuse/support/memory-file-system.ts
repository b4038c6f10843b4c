import type {
  AttributeChange,
  Attributes,
  Caching,
  DirectoryEntry,
  FileSystem,
  FileSystemStatistics,
  OutdatedPages,
} from '../../../src/fuse/file-system.js'
import { errno, SystemError } from '../../../src/libc/errno.js'
import {
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  FALLOC_FL_ZERO_RANGE,
  SEEK_DATA,
} from '../../../src/libc/files.js'
import type { IoBuffer } from '../../../src/libc/io-buffer.js'

export const ROOT = 1
export const DISK = 2
export const HIDDEN = 3
export const STATUS = 4

const BLOCK = 4096

/**
 * The tree that rawmount shows, over shared memory: disk.raw (holes are the blocks of zeros) and .rawmount/status.json,
 * which counts its reads. Reads from FAULT_OFFSET on fail with EIO.
 */
export class MemoryFileSystem implements FileSystem {
  static readonly STATUS_TEXT = '{"status":"ok"}\n'
  readonly calls: string[] = []
  private readonly disk: Uint8Array
  private readonly times = { mtime: 1_700_000_000, mtimeNanoseconds: 123 }
  private handles = 0

  constructor(
    memory: SharedArrayBuffer,
    private readonly faultOffset = Number.POSITIVE_INFINITY,
  ) {
    this.disk = new Uint8Array(memory)
  }

  lookup(parent: number, name: string): number {
    if (parent === ROOT && name === 'disk.raw') return DISK
    if (parent === ROOT && name === '.rawmount') return HIDDEN
    if (parent === HIDDEN && name === 'status.json') return STATUS
    throw new SystemError(errno.ENOENT, 'lookup', name)
  }

  attributes(inode: number, out: Attributes): void {
    if (inode < ROOT || inode > STATUS) throw new SystemError(errno.ENOENT, 'getattr', `inode ${inode}`)
    const directory = inode === ROOT || inode === HIDDEN
    out.inode = inode
    out.size = directory ? 0 : inode === DISK ? this.disk.length : MemoryFileSystem.STATUS_TEXT.length
    out.blocks = inode === DISK ? this.usedBlocks() * (BLOCK / 512) : 0
    out.mode = directory ? 0o40555 : inode === DISK ? 0o100600 : 0o100444
    out.links = directory ? 2 : 1
    out.uid = process.getuid!()
    out.gid = process.getgid!()
    out.atime = out.mtime = out.ctime = this.times.mtime
    out.atimeNanoseconds = out.mtimeNanoseconds = out.ctimeNanoseconds = this.times.mtimeNanoseconds
  }

  change(inode: number, change: AttributeChange, out: Attributes): void {
    this.calls.push(`change ${inode}`)
    if (change.size !== null && change.size !== this.disk.length) {
      throw new SystemError(errno.EPERM, 'truncate', 'disk.raw')
    }
    if (typeof change.mtime === 'number') {
      this.times.mtime = change.mtime
      this.times.mtimeNanoseconds = change.mtimeNanoseconds
    }
    this.attributes(inode, out)
  }

  open(inode: number, flags: number): number {
    if (inode === STATUS && (flags & 3) !== 0) throw new SystemError(errno.EACCES, 'open', 'status.json')
    this.calls.push(`open ${inode}`)
    return ++this.handles
  }

  lasting(): boolean {
    return true
  }

  control(): number {
    throw new SystemError(errno.ENOTTY, 'ioctl', '')
  }

  caching(inode: number): Caching {
    return inode === STATUS ? 'direct' : 'cached'
  }

  read(inode: number, _handle: number, buffer: IoBuffer, at: number, length: number, offset: number): number {
    if (offset + length > this.faultOffset) throw new SystemError(errno.EIO, 'read', 'disk.raw')
    const source = inode === DISK ? this.disk : new TextEncoder().encode(MemoryFileSystem.STATUS_TEXT)
    const part = source.subarray(offset, offset + length)
    buffer.bytes.set(part, at)
    return part.length
  }

  write(
    inode: number,
    _handle: number,
    buffer: IoBuffer,
    at: number,
    length: number,
    offset: number,
  ): number {
    if (inode !== DISK) throw new SystemError(errno.EBADF, 'write', `inode ${inode}`)
    if (offset + length > this.disk.length) throw new SystemError(errno.ENOSPC, 'write', 'disk.raw')
    this.disk.set(buffer.bytes.subarray(at, at + length), offset)
    return length
  }

  flush(inode: number, handle: number): void {
    this.calls.push(`flush ${inode} ${handle}`)
  }

  release(inode: number, handle: number): void {
    this.calls.push(`release ${inode} ${handle}`)
  }

  sync(inode: number, handle: number): void {
    this.calls.push(`sync ${inode} ${handle}`)
  }

  allocate(_inode: number, _handle: number, mode: number, offset: number, length: number): void {
    const zeroing = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE
    if ((mode & ~(zeroing | FALLOC_FL_KEEP_SIZE)) !== 0)
      throw new SystemError(errno.EOPNOTSUPP, 'fallocate', 'disk.raw')
    if ((mode & zeroing) !== 0) this.disk.fill(0, offset, offset + length)
  }

  seek(_inode: number, _handle: number, offset: number, whence: number): number {
    if (offset >= this.disk.length) throw new SystemError(errno.ENXIO, 'lseek', 'disk.raw')
    const wanted = whence === SEEK_DATA
    for (let at = offset; at < this.disk.length; at = (Math.floor(at / BLOCK) + 1) * BLOCK) {
      if (this.isData(Math.floor(at / BLOCK)) === wanted) return at
    }
    if (wanted) throw new SystemError(errno.ENXIO, 'lseek', 'disk.raw')
    return this.disk.length
  }

  entries(inode: number): readonly DirectoryEntry[] {
    if (inode === ROOT) {
      return [
        { name: '.', inode: ROOT, directory: true },
        { name: '..', inode: ROOT, directory: true },
        { name: 'disk.raw', inode: DISK, directory: false },
        { name: '.rawmount', inode: HIDDEN, directory: true },
      ]
    }
    if (inode === HIDDEN) {
      return [
        { name: '.', inode: HIDDEN, directory: true },
        { name: '..', inode: ROOT, directory: true },
        { name: 'status.json', inode: STATUS, directory: false },
      ]
    }
    throw new SystemError(errno.ENOTDIR, 'readdir', `inode ${inode}`)
  }

  outdates(): boolean {
    return false
  }

  takeOutdated(_inode: number): readonly OutdatedPages[] {
    return []
  }

  droppedOutdated(): void {}

  statistics(out: FileSystemStatistics): void {
    out.blockSize = BLOCK
    out.blocks = Math.ceil(this.disk.length / BLOCK)
    out.blocksFree = 0
    out.files = 4
    out.nameLength = 255
  }

  private usedBlocks(): number {
    let used = 0
    for (let block = 0; block * BLOCK < this.disk.length; block++) if (this.isData(block)) used++
    return used
  }

  private isData(block: number): boolean {
    return this.disk.subarray(block * BLOCK, (block + 1) * BLOCK).some(byte => byte !== 0)
  }
}
