import { errnoOf } from '../errors.js'
import { errno } from '../libc/errno.js'
import { IoBuffer } from '../libc/io-buffer.js'
import { hasLog, serving, tell, tracer } from '../trace.js'
import { Counter, type Counters, isFailure } from './counters.js'
import { RequestFailures } from './failures.js'
import { AttributeChange, Attributes, type FileSystem, FileSystemStatistics } from './file-system.js'
import { Kind } from './latencies.js'
import { FUSE_ROOT_ID } from './protocol.js'

const log = tracer('fuse')

/** The answer to a request: 0, a count of bytes, or a negative errno; then what the request asked for. */
type Done = (result: number, value?: unknown, more?: unknown) => void

/** fuse-native passes 32-bit numbers only. */
const LIMIT_32 = 2 ** 32
/** chown(2) for "leave as it is". */
const UNCHANGED = LIMIT_32 - 1

interface OpenFile {
  readonly inode: number
  readonly handle: number
}

/**
 * Turns libfuse's operations, which name files by path, into those of a FileSystem. The buffers of a request belong to
 * libfuse and are gone when it is answered; they are wrapped, so that bytes are moved once only.
 */
export class LibfuseOperations {
  private readonly attributes = new Attributes()
  private readonly statistics = new FileSystemStatistics()
  private readonly files = new Map<number, OpenFile>()
  private lastFile = 0
  /** Milliseconds since the epoch: of what was outdated last. */
  private lastOutdated = 0
  /** libfuse does not tell the kernel's numbers of requests: these are counted. */
  private requests = 0
  private readonly failures = hasLog() ? new RequestFailures(tell) : null

  constructor(
    private readonly fs: FileSystem,
    private readonly counters: Counters,
  ) {}

  /** In the form that fuse-native wants. */
  handlers(): object {
    return {
      getattr: (path: string, done: Done) => this.other(done, () => done(0, this.stat(this.inodeOf(path)))),
      fgetattr: (path: string, _fd: number, done: Done) =>
        this.other(done, () => done(0, this.stat(this.inodeOf(path)))),
      readdir: (path: string, done: Done) => this.other(done, () => done(0, this.names(path))),
      statfs: (_path: string, done: Done) => this.other(done, () => done(0, this.statvfs())),
      open: (path: string, flags: number, done: Done) =>
        this.other(done, () => done(0, this.open(path, flags))),
      release: (_path: string, fd: number, done: Done) => this.other(done, () => done(this.release(fd))),
      flush: (_path: string, fd: number, done: Done) => this.sync(done, () => done(this.flush(fd))),
      fsync: (_path: string, _data: number, fd: number, done: Done) =>
        this.sync(done, () => done(this.fsync(fd))),
      truncate: (path: string, size: number, done: Done) =>
        this.change(path, done, change => (change.size = size)),
      ftruncate: (path: string, _fd: number, size: number, done: Done) =>
        this.change(path, done, change => (change.size = size)),
      chmod: (path: string, mode: number, done: Done) =>
        this.change(path, done, change => (change.mode = mode)),
      chown: (path: string, uid: number, gid: number, done: Done) =>
        this.change(path, done, change => {
          change.uid = uid === UNCHANGED ? null : uid
          change.gid = gid === UNCHANGED ? null : gid
        }),
      utimens: (path: string, atime: number, _mtime: number, done: Done) =>
        this.change(path, done, change => {
          // The package passes atime twice, in milliseconds; most programs set both to the same.
          setModified(change, atime)
          change.atime = change.mtime
          change.atimeNanoseconds = change.mtimeNanoseconds
        }),
      read: (_path: string, fd: number, buffer: Buffer, length: number, offset: number, done: Done) =>
        this.read(fd, buffer, length, offset, done),
      write: (_path: string, fd: number, buffer: Buffer, length: number, offset: number, done: Done) =>
        this.write(fd, buffer, length, offset, done),
      ...Object.fromEntries(REFUSED.map(name => [name, refuse])),
    }
  }

  private read(fd: number, buffer: Buffer, length: number, offset: number, done: Done): void {
    this.counters.add(Counter.reads, 1)
    this.guard('read', done, () => {
      const { inode, handle } = this.file(fd)
      const got = this.fs.read(inode, handle, wrap(buffer), buffer.byteOffset, length, offset)
      this.counters.add(Counter.bytesRead, got)
      done(got)
    })
  }

  private write(fd: number, buffer: Buffer, length: number, offset: number, done: Done): void {
    this.counters.add(Counter.writes, 1)
    this.guard('write', done, () => {
      const { inode, handle } = this.file(fd)
      const put = this.fs.write(inode, handle, wrap(buffer), buffer.byteOffset, length, offset)
      this.counters.add(Counter.bytesWritten, put)
      done(put)
    })
  }

  private other(done: Done, action: () => void): void {
    this.counters.add(Counter.others, 1)
    this.guard('other', done, action)
  }

  private sync(done: Done, action: () => void): void {
    this.counters.add(Counter.syncs, 1)
    this.guard('sync', done, action)
  }

  private guard(kind: keyof typeof Kind, done: Done, action: () => void): void {
    const arrived = performance.now()
    serving(++this.requests)
    try {
      action()
      if (log.enabled) log('%s', kind)
    } catch (error) {
      const code = errnoOf(error)
      if (isFailure(code)) this.counters.add(Counter.errors, 1)
      this.failures?.note(kind, error)
      if (log.enabled) log('%s: %O', kind, error)
      done(-code)
    } finally {
      // This thread does other work in between.
      serving(0)
      this.counters.took(Kind[kind], performance.now() - arrived)
    }
  }

  private inodeOf(path: string): number {
    let inode = FUSE_ROOT_ID
    for (const name of path.split('/')) if (name !== '') inode = this.fs.lookup(inode, name)
    return inode
  }

  private stat(inode: number): object {
    const { attributes } = this
    this.fs.attributes(inode, attributes)
    return {
      ino: attributes.inode,
      mode: attributes.mode,
      nlink: attributes.links,
      uid: attributes.uid,
      gid: attributes.gid,
      size: attributes.size,
      blocks: attributes.blocks,
      blksize: 65_536,
      atime: milliseconds(attributes.atime, attributes.atimeNanoseconds),
      mtime: milliseconds(attributes.mtime, attributes.mtimeNanoseconds),
      ctime: milliseconds(attributes.ctime, attributes.ctimeNanoseconds),
    }
  }

  private names(path: string): string[] {
    return this.fs.entries(this.inodeOf(path)).map(entry => entry.name)
  }

  private statvfs(): object {
    const { statistics } = this
    this.fs.statistics(statistics)
    let { blockSize, blocks, blocksFree } = statistics
    while (blocks >= LIMIT_32) {
      blockSize *= 2
      blocks = Math.ceil(blocks / 2)
      blocksFree = Math.floor(blocksFree / 2)
    }
    return {
      bsize: blockSize,
      frsize: blockSize,
      blocks,
      bfree: blocksFree,
      bavail: blocksFree,
      files: statistics.files,
      namemax: statistics.nameLength,
    }
  }

  private open(path: string, flags: number): number {
    const inode = this.inodeOf(path)
    const handle = this.fs.open(inode, flags)
    // Below 2^31, and 0 means none to the package; numbers still in use are stepped over.
    do this.lastFile = (this.lastFile % 0x7fff_ffff) + 1
    while (this.files.has(this.lastFile))
    this.files.set(this.lastFile, { inode, handle })
    return this.lastFile
  }

  private file(fd: number): OpenFile {
    const file = this.files.get(fd)
    if (file === undefined) throw Object.assign(new Error(`no open file ${fd}`), { errno: errno.EBADF })
    return file
  }

  private flush(fd: number): number {
    const { inode, handle } = this.file(fd)
    this.fs.flush(inode, handle)
    this.outdate(inode)
    return 0
  }

  private fsync(fd: number): number {
    const { inode, handle } = this.file(fd)
    this.fs.sync(inode, handle)
    this.outdate(inode)
    return 0
  }

  /**
   * libfuse 2 has no call to drop pages, but drops those of a file that is opened when its mtime is another than it was when
   * it was opened last (auto_cache).
   */
  private outdate(written: number): void {
    if (!this.fs.outdates(written)) return
    try {
      const outdated = new Set(this.fs.takeOutdated(written).map(({ inode }) => inode))
      for (const inode of outdated) {
        const change = new AttributeChange()
        setModified(change, this.newTime(inode))
        this.fs.change(inode, change, this.attributes)
      }
    } finally {
      this.fs.droppedOutdated(written)
    }
  }

  /**
   * A time that the file has not had: files change more often than once in a millisecond, which is all that the package
   * hands on, and clocks are put back.
   */
  private newTime(inode: number): number {
    const { attributes } = this
    this.fs.attributes(inode, attributes)
    const present = milliseconds(attributes.mtime, attributes.mtimeNanoseconds)
    do this.lastOutdated = Math.max(Date.now(), this.lastOutdated + 1)
    while (this.lastOutdated === present)
    return this.lastOutdated
  }

  private release(fd: number): number {
    const { inode, handle } = this.file(fd)
    this.files.delete(fd)
    this.fs.release(inode, handle)
    return 0
  }

  private change(path: string, done: Done, fill: (change: AttributeChange) => void): void {
    this.other(done, () => {
      const change = new AttributeChange()
      fill(change)
      this.fs.change(this.inodeOf(path), change, this.attributes)
      done(0)
    })
  }
}

/** What changes the tree; nobody may. */
const REFUSED = ['create', 'mknod', 'mkdir', 'unlink', 'rmdir', 'rename', 'link', 'symlink']

/** All of them have their callback last. */
function refuse(...parameters: unknown[]): void {
  const done = parameters.at(-1) as Done
  done(-errno.EPERM)
}

/** The memory is libfuse's own, outside the heap: as good as any for system calls, until the request is answered. */
function wrap(buffer: Buffer): IoBuffer {
  return new IoBuffer(buffer.buffer as ArrayBuffer)
}

function setModified(change: AttributeChange, time: number): void {
  change.mtime = Math.floor(time / 1000)
  change.mtimeNanoseconds = (time % 1000) * 1_000_000
}

function milliseconds(seconds: number, nanoseconds: number): number {
  return seconds * 1000 + Math.floor(nanoseconds / 1_000_000)
}
