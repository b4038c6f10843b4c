import { constants } from 'node:fs'
import { readU64 } from '../bytes.js'
import { errno } from '../libc/errno.js'
import { SEEK_DATA, SEEK_HOLE } from '../libc/files.js'
import type { IoBuffer } from '../libc/io-buffer.js'
import * as atomics from '../shared/atomics.js'
import { SessionWord } from './channel.js'
import { Counter, type Counters } from './counters.js'
import { AttributeChange, Attributes, type FileSystem, FileSystemStatistics } from './file-system.js'
import { DEFERRED, DONE, withoutBody } from './outcomes.js'
import {
  FallocateIn,
  FlushIn,
  FsyncIn,
  InHeader,
  IoctlIn,
  IoctlOut,
  LseekIn,
  Opcode,
  OpenFlag,
  OpenIn,
  OpenOut,
  OutHeader,
  ReadIn,
  ReleaseIn,
  SetattrIn,
  SetattrValid,
  WriteIn,
} from './protocol.js'
import {
  attributesReply,
  directoryReply,
  entryReply,
  ioctlReply,
  openReply,
  seekReply,
  statisticsReply,
  writeReply,
} from './reply.js'

export interface OperationsOptions {
  /** Reads and writes of cached files come through all the same (cache mode "none"). */
  readonly direct: boolean
  /** The kernel keeps written data back. */
  readonly writeback: boolean
  /** SessionWord: what the sessions of a mount share. */
  readonly shared: SharedArrayBuffer
  /** Called when the kernel, which keeps written data back, has taken some beyond the end of an inode. */
  readonly overreached?: (inode: number) => void
}

const decoder = new TextDecoder()
/** The bits of open flags that say whether one reads or writes. */
const O_ACCMODE = 3

/**
 * Turns requests into calls of a FileSystem. Every length is checked against what arrived, every offset against
 * what a number holds exactly.
 */
export class Operations {
  private readonly attributes = new Attributes()
  private readonly attributeChange = new AttributeChange()
  private readonly statistics = new FileSystemStatistics()
  private readonly words: Int32Array

  constructor(
    private readonly fs: FileSystem,
    private readonly request: IoBuffer,
    private readonly reply: IoBuffer,
    private readonly counters: Counters,
    private readonly options: OperationsOptions,
  ) {
    this.words = new Int32Array(options.shared)
  }

  /** Length of the reply whose body it wrote, a negative errno, NO_REPLY or DEFERRED. Throws what the FileSystem throws. */
  perform(length: number): number {
    const { view } = this.request
    const opcode = view.getUint32(InHeader.opcode, true)
    const inode = readU64(view, InHeader.node)
    // The two that come a hundred thousand times a second first.
    if (opcode === Opcode.READ) return this.read(inode, length)
    if (opcode === Opcode.WRITE) return this.write(inode, length)
    const sync = opcode === Opcode.FSYNC || opcode === Opcode.FLUSH
    this.counters.add(sync ? Counter.syncs : Counter.others, 1)
    switch (opcode) {
      case Opcode.LOOKUP:
        return this.lookup(inode, length)
      case Opcode.GETATTR:
        return this.getattr(inode)
      case Opcode.SETATTR:
        return this.setattr(inode, length)
      case Opcode.OPEN:
        return this.open(inode, length)
      case Opcode.RELEASE:
        return this.release(inode, length)
      case Opcode.FLUSH:
        return this.flush(inode, length)
      case Opcode.FSYNC:
        return this.fsync(inode, length)
      case Opcode.STATFS:
        this.fs.statistics(this.statistics)
        return statisticsReply(this.reply, this.statistics)
      case Opcode.OPENDIR:
        return openReply(this.reply, 0, 0)
      case Opcode.READDIR:
        return this.readdir(inode, length)
      case Opcode.FALLOCATE:
        return this.fallocate(inode, length)
      case Opcode.LSEEK:
        return this.seek(inode, length)
      case Opcode.IOCTL:
        return this.ioctl(inode, length)
      default:
        return withoutBody(opcode)
    }
  }

  private read(inode: number, length: number): number {
    if (length < ReadIn.SIZE) return -errno.EINVAL
    const { view } = this.request
    const size = view.getUint32(ReadIn.size, true)
    if (size > this.reply.length - OutHeader.SIZE) return -errno.EINVAL
    const handle = readU64(view, ReadIn.handle)
    const offset = readU64(view, ReadIn.offset)
    this.counters.add(Counter.reads, 1)
    if (!Number.isSafeInteger(offset + size)) return DONE
    const got = this.fs.read(inode, handle, this.reply, OutHeader.SIZE, size, offset)
    this.counters.add(Counter.bytesRead, got)
    return OutHeader.SIZE + got
  }

  private write(inode: number, length: number): number {
    if (length < WriteIn.SIZE) return -errno.EINVAL
    const { view } = this.request
    const size = view.getUint32(WriteIn.size, true)
    if (size !== length - WriteIn.SIZE) return -errno.EINVAL
    const handle = readU64(view, WriteIn.handle)
    const offset = readU64(view, WriteIn.offset)
    this.counters.add(Counter.writes, 1)
    if (!Number.isSafeInteger(offset + size)) return -errno.EFBIG
    let put = 0
    try {
      put = this.fs.write(inode, handle, this.request, WriteIn.SIZE, size, offset)
    } finally {
      if (put < size) this.checkEnd(inode, offset + size)
    }
    this.counters.add(Counter.bytesWritten, put)
    return writeReply(this.reply, put)
  }

  private checkEnd(inode: number, end: number): void {
    if (!this.options.writeback) return
    this.fs.attributes(inode, this.attributes)
    if (end > this.attributes.size) this.options.overreached?.(inode)
  }

  private lookup(parent: number, length: number): number {
    // The name ends with a zero byte, and has none before.
    const name = this.request.bytes.subarray(InHeader.SIZE, length)
    if (name.length < 2 || name.indexOf(0) !== name.length - 1) return -errno.EINVAL
    const inode = this.fs.lookup(parent, decoder.decode(name.subarray(0, -1)))
    this.fs.attributes(inode, this.attributes)
    const lasting = this.fs.lasting(inode)
    return entryReply(this.reply, this.attributes, lasting, lasting && this.fs.caching(inode) === 'cached')
  }

  private getattr(inode: number): number {
    this.fs.attributes(inode, this.attributes)
    return attributesReply(this.reply, this.attributes, this.fs.caching(inode) === 'cached')
  }

  private setattr(inode: number, length: number): number {
    if (length < SetattrIn.SIZE) return -errno.EINVAL
    const { view } = this.request
    const change = this.attributeChange
    const valid = view.getUint32(SetattrIn.valid, true)
    const size = readU64(view, SetattrIn.size)
    if ((valid & SetattrValid.SIZE) !== 0 && !Number.isSafeInteger(size)) return -errno.EFBIG
    change.size = (valid & SetattrValid.SIZE) !== 0 ? size : null
    change.mode = (valid & SetattrValid.MODE) !== 0 ? view.getUint32(SetattrIn.mode, true) : null
    change.uid = (valid & SetattrValid.UID) !== 0 ? view.getUint32(SetattrIn.uid, true) : null
    change.gid = (valid & SetattrValid.GID) !== 0 ? view.getUint32(SetattrIn.gid, true) : null
    change.atime = null
    if ((valid & SetattrValid.ATIME) !== 0) {
      change.atime = (valid & SetattrValid.ATIME_NOW) !== 0 ? 'now' : readU64(view, SetattrIn.atime)
    }
    change.mtime = null
    if ((valid & SetattrValid.MTIME) !== 0) {
      change.mtime = (valid & SetattrValid.MTIME_NOW) !== 0 ? 'now' : readU64(view, SetattrIn.mtime)
    }
    change.ctime = (valid & SetattrValid.CTIME) !== 0 ? readU64(view, SetattrIn.ctime) : null
    change.atimeNanoseconds = view.getUint32(SetattrIn.atimeNanoseconds, true)
    change.mtimeNanoseconds = view.getUint32(SetattrIn.mtimeNanoseconds, true)
    change.ctimeNanoseconds = view.getUint32(SetattrIn.ctimeNanoseconds, true)
    this.fs.change(inode, change, this.attributes)
    return attributesReply(this.reply, this.attributes, this.fs.caching(inode) === 'cached')
  }

  private open(inode: number, length: number): number {
    if (length < OpenIn.SIZE) return -errno.EINVAL
    const flags = this.request.view.getUint32(OpenIn.flags, true)
    const handle = this.fs.open(inode, flags)
    if (writes(flags)) atomics.add(this.words, SessionWord.writers, 1)
    if (this.fs.caching(inode) === 'direct') return openReply(this.reply, handle, OpenFlag.DIRECT_IO)
    if (!this.options.direct) return openReply(this.reply, handle, OpenFlag.KEEP_CACHE)
    return openReply(this.reply, handle, OpenFlag.DIRECT_IO | OpenFlag.PARALLEL_DIRECT_WRITES)
  }

  private release(inode: number, length: number): number {
    if (length < ReleaseIn.SIZE) return -errno.EINVAL
    const { view } = this.request
    if (writes(view.getUint32(ReleaseIn.flags, true))) atomics.add(this.words, SessionWord.writers, -1)
    this.fs.release(inode, readU64(view, ReleaseIn.handle))
    return DONE
  }

  /** A program that was killed while it opened a file will not close it. */
  undelivered(length: number): void {
    const { view } = this.request
    if (view.getUint32(InHeader.opcode, true) !== Opcode.OPEN || length !== OpenOut.SIZE) return
    if (writes(view.getUint32(OpenIn.flags, true))) atomics.add(this.words, SessionWord.writers, -1)
    this.fs.release(readU64(view, InHeader.node), readU64(this.reply.view, OpenOut.handle))
  }

  private flush(inode: number, length: number): number {
    if (length < FlushIn.SIZE) return -errno.EINVAL
    this.fs.flush(inode, readU64(this.request.view, FlushIn.handle))
    return this.fs.outdates(inode) ? DEFERRED : DONE
  }

  private fsync(inode: number, length: number): number {
    if (length < FsyncIn.SIZE) return -errno.EINVAL
    this.fs.sync(inode, readU64(this.request.view, FsyncIn.handle))
    return this.fs.outdates(inode) ? DEFERRED : DONE
  }

  private readdir(inode: number, length: number): number {
    if (length < ReadIn.SIZE) return -errno.EINVAL
    const { view } = this.request
    const size = view.getUint32(ReadIn.size, true)
    if (size > this.reply.length - OutHeader.SIZE) return -errno.EINVAL
    return directoryReply(this.reply, this.fs.entries(inode), readU64(view, ReadIn.offset), size)
  }

  private fallocate(inode: number, length: number): number {
    if (length < FallocateIn.SIZE) return -errno.EINVAL
    const { view } = this.request
    const offset = readU64(view, FallocateIn.offset)
    const range = readU64(view, FallocateIn.length)
    if (!Number.isSafeInteger(offset + range)) return -errno.EFBIG
    const mode = view.getUint32(FallocateIn.mode, true)
    this.fs.allocate(inode, readU64(view, FallocateIn.handle), mode, offset, range)
    return DONE
  }

  private ioctl(inode: number, length: number): number {
    if (length < IoctlIn.SIZE) return -errno.EINVAL
    const { view } = this.request
    const room = view.getUint32(IoctlIn.outSize, true)
    if (room > this.reply.length - IoctlOut.SIZE) return -errno.EINVAL
    const out = this.reply.bytes.subarray(IoctlOut.SIZE, IoctlOut.SIZE + room)
    return ioctlReply(this.reply, this.fs.control(inode, view.getUint32(IoctlIn.command, true), out))
  }

  /**
   * While the kernel keeps written data back, it asks for holes without sending those data first (fuse_lseek in
   * fs/fuse/file.c), and what was just written could look like a hole; a copy that skips holes would lose it. The
   * data are here once the last handle for writing is closed; until then everything is called data.
   */
  private seek(inode: number, length: number): number {
    if (length < LseekIn.SIZE) return -errno.EINVAL
    const { view } = this.request
    const offset = readU64(view, LseekIn.offset)
    const whence = view.getUint32(LseekIn.whence, true)
    if (whence !== SEEK_DATA && whence !== SEEK_HOLE) return -errno.EINVAL
    if (!Number.isSafeInteger(offset)) return -errno.ENXIO
    if (this.options.writeback && atomics.load(this.words, SessionWord.writers) > 0) {
      this.fs.attributes(inode, this.attributes)
      if (offset >= this.attributes.size) return -errno.ENXIO
      return seekReply(this.reply, whence === SEEK_DATA ? offset : this.attributes.size)
    }
    return seekReply(this.reply, this.fs.seek(inode, readU64(view, LseekIn.handle), offset, whence))
  }
}

function writes(flags: number): boolean {
  return (flags & O_ACCMODE) !== constants.O_RDONLY
}
