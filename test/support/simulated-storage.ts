import { resolve } from 'node:path'
import { roundDown, roundUp } from '../../src/bytes.js'
import { ImageError } from '../../src/errors.js'
import { errno, SystemError } from '../../src/libc/errno.js'
import type { IoBuffer } from '../../src/libc/io-buffer.js'
import type {
  FileDescription,
  FileFacts,
  FileKind,
  StorageFile,
  StorageHost,
} from '../../src/storage/storage-file.js'
import { SparseBytes } from './sparse-bytes.js'

/**
 * A disk in memory with the storage's own interface, for one thread. It can do what a real one does rarely:
 *
 * - it counts: `calls` lists every call since the last forget();
 * - it fails: failNext() makes the n-th matching call throw, once or from then on; `interfere` may swallow one;
 * - it remembers: `record` holds each change with its bytes and each barrier, in one order over all files, from
 *   which crash-states.ts builds every set of files that a power cut can leave.
 *
 * A change is recorded in whole 512-byte sectors, as they stand after it: page caches and disks move sectors, so a
 * sector on the medium is always one that the file held at some time, also when writes were smaller.
 */
export class SimulatedStorage implements StorageHost {
  readonly record: Change[] = []
  readonly calls: Call[] = []
  /** Asked before each call; 'ignore' makes it succeed without effect: the disk that lies. */
  interfere: ((call: Call) => 'ignore' | 'proceed') | null = null
  private readonly inodes = new Map<string, Inode>()
  private faults: Fault[] = []
  private baseline = new Map<string, SparseBytes>()
  private opened = 0

  inspect(path: string): FileFacts {
    const inode = this.find(path, 'stat')
    const description = { regular: 'a regular file', block: 'a block device', other: 'a FIFO' }[inode.kind]
    return { kind: inode.kind, description, identity: `simulated:${inode.path}` }
  }

  open(path: string, writable: boolean): StorageFile {
    return new SimulatedFile(this, this.find(path, 'open'), path, writable, ++this.opened)
  }

  create(path: string, overwrite: boolean): StorageFile {
    const existing = this.inodes.get(resolve(path))
    if (existing !== undefined && !overwrite) throw new SystemError(errno.EEXIST, 'open', path)
    const inode = existing ?? new Inode(resolve(path), 'regular', new SparseBytes())
    this.inodes.set(inode.path, inode)
    return new SimulatedFile(this, inode, path, true, ++this.opened)
  }

  remove(path: string): void {
    this.find(path, 'unlink')
    this.inodes.delete(resolve(path))
  }

  /** One writer alone, or readers together, as the locks of QEMU say for whole images. */
  lock(file: StorageFile): void {
    const { inode } = file as SimulatedFile
    const held = [...inode.locks]
    if (held.length > 0 && (file.writable || held.some(other => other.writable))) {
      throw new ImageError('IN_USE', `${file.path}: in use by another program (simulated); stop it first`)
    }
    inode.locks.add(file)
  }

  /** A FIFO or a device, for what must be refused. */
  addSpecial(path: string, kind: FileKind): void {
    this.inodes.set(resolve(path), new Inode(resolve(path), kind, new SparseBytes()))
  }

  /** Another name of the same file. */
  link(path: string, target: string): void {
    this.inodes.set(resolve(path), this.find(target, 'link'))
  }

  addFile(path: string, contents: SparseBytes | Uint8Array): void {
    let bytes = contents
    if (bytes instanceof Uint8Array) {
      bytes = new SparseBytes()
      bytes.write(0, contents as Uint8Array)
    }
    this.inodes.set(resolve(path), new Inode(resolve(path), 'regular', bytes))
  }

  has(path: string): boolean {
    return this.inodes.has(resolve(path))
  }

  contents(path: string): SparseBytes {
    return this.find(path, 'open').bytes
  }

  /** The names of open files that nobody closed: empty at the end of a tidy test. */
  leftOpen(): string[] {
    return [...new Set(this.inodes.values())].flatMap(inode => [...inode.handles].map(file => file.path))
  }

  /** kill -9 of whoever has files open: what they wrote stays, their handles and locks are gone. */
  kill(): void {
    for (const inode of this.inodes.values()) for (const file of inode.handles) file.close()
  }

  /** Everything so far is on the medium; the record and the calls start again from here. */
  settle(): void {
    this.baseline = new Map([...this.inodes].map(([path, inode]) => [path, inode.bytes.clone()]))
    this.record.length = 0
    this.forget()
  }

  /** The files as of the last settle(): where the record starts. */
  settled(): ReadonlyMap<string, SparseBytes> {
    return this.baseline
  }

  forget(): void {
    this.calls.length = 0
  }

  countCalls(kind: CallKind, path?: string): number {
    const wanted = path === undefined ? null : resolve(path)
    return this.calls.filter(call => call.kind === kind && (wanted === null || call.path === wanted)).length
  }

  /** The `nth` call from now (1 = the next) that is of `kind` throws; with `sticky` each one after it too. */
  failNext(kind: FaultKind, code: number, options: FaultOptions = {}): void {
    const { nth = 1, sticky = false, path = null, partial = false } = options
    this.faults.push({ kind, code, left: nth, sticky, path: path === null ? null : resolve(path), partial })
  }

  clearFaults(): void {
    this.faults = []
  }

  /** For SimulatedFile: notes the call; the fault that it must fail with, or whether to ignore it. */
  enter(call: Call): Fault | 'ignore' | 'proceed' {
    this.calls.push(call)
    for (const fault of this.faults) {
      if (fault.path !== null && fault.path !== call.path) continue
      if (fault.kind !== 'any' && fault.kind !== call.kind) continue
      if (--fault.left > 0) continue
      if (!fault.sticky) this.faults.splice(this.faults.indexOf(fault), 1)
      return fault
    }
    return this.interfere?.(call) ?? 'proceed'
  }

  private find(path: string, syscall: string): Inode {
    const inode = this.inodes.get(resolve(path))
    if (inode === undefined) throw new SystemError(errno.ENOENT, syscall, path)
    return inode
  }
}

export type CallKind = 'read' | 'write' | 'sync' | 'zero' | 'truncate'
export type FaultKind = CallKind | 'any'

export interface Call {
  readonly kind: CallKind
  readonly path: string
  /** truncate: the new size. */
  readonly offset: number
  readonly length: number
}

/** One entry of the record. After a 'failed sync' no later barrier of the file promises anything: see fsync(2). */
export interface Change {
  readonly kind: 'write' | 'zero' | 'truncate' | 'sync' | 'failed sync'
  readonly path: string
  readonly offset: number
  readonly length: number
  /** Of a write: whole sectors, but for the one that the file's end cuts. */
  readonly bytes: Uint8Array | null
  /** Of the file, after the change. */
  readonly size: number
  /** The change made the file longer: data and new tables do, in most formats. */
  readonly grew: boolean
}

export interface FaultOptions {
  readonly nth?: number
  readonly sticky?: boolean
  readonly path?: string
  /** A write that fails has written its first half, in sectors. */
  readonly partial?: boolean
}

interface Fault {
  readonly kind: FaultKind
  readonly code: number
  left: number
  readonly sticky: boolean
  readonly path: string | null
  readonly partial: boolean
}

const SECTOR = 512
const NO_BYTES = new Uint8Array(0)

/** What a real file would name in its SystemError. */
const SYSCALLS: Record<CallKind, string> = {
  read: 'pread',
  write: 'pwrite',
  sync: 'fdatasync',
  zero: 'fallocate',
  truncate: 'ftruncate',
}

class Inode {
  readonly locks = new Set<StorageFile>()
  readonly handles = new Set<StorageFile>()
  recordedSize: number

  constructor(
    readonly path: string,
    readonly kind: FileKind,
    readonly bytes: SparseBytes,
  ) {
    this.recordedSize = bytes.size
  }
}

class SimulatedFile implements StorageFile {
  private open = true
  private gone = false

  constructor(
    private readonly host: SimulatedStorage,
    readonly inode: Inode,
    readonly path: string,
    readonly writable: boolean,
    private readonly fd: number,
  ) {
    inode.handles.add(this)
  }

  read(buffer: IoBuffer, at: number, length: number, offset: number): number {
    const target = this.slice(buffer, at, length)
    return this.enter('read', offset, length) ? this.inode.bytes.read(offset, target) : 0
  }

  write(buffer: IoBuffer, at: number, length: number, offset: number): void {
    const source = this.slice(buffer, at, length)
    if (this.enter('write', offset, length, source)) this.put(offset, source)
  }

  sync(): void {
    if (this.enter('sync', 0, 0)) this.note('sync', 0, 0, null)
  }

  zero(offset: number, length: number): void {
    if (!this.enter('zero', offset, length)) return
    // The ends that cut a sector travel through the page cache like any small write.
    const end = Math.min(offset + length, this.inode.bytes.size)
    const first = Math.min(roundUp(offset, SECTOR), end)
    const last = Math.max(first, end === this.inode.bytes.size ? end : roundDown(end, SECTOR))
    if (first > offset) this.put(offset, new Uint8Array(first - offset))
    if (last > first) {
      this.inode.bytes.zero(first, last - first)
      this.note('zero', first, last - first, null)
    }
    if (end > last) this.put(last, new Uint8Array(end - last))
  }

  truncate(size: number): void {
    if (!this.enter('truncate', size, 0)) return
    this.inode.bytes.truncate(size)
    this.note('truncate', size, 0, null)
  }

  size(): number {
    this.mustBeOpen('fstat')
    return this.inode.bytes.size
  }

  stretch(offset: number, hole: boolean): number {
    this.mustBeOpen('lseek')
    return this.inode.bytes.stretch(offset, hole)
  }

  allocated(): number {
    this.mustBeOpen('fstat')
    return this.inode.bytes.allocated()
  }

  describe(): FileDescription {
    return { path: this.path, fd: this.fd, writable: this.writable }
  }

  letGo(): void {
    this.mustBeOpen('dup2')
    this.gone = true
    this.inode.locks.delete(this)
    this.inode.handles.delete(this)
  }

  close(): void {
    this.mustBeOpen('close')
    this.open = false
    this.inode.locks.delete(this)
    this.inode.handles.delete(this)
  }

  /** Validates, counts, fails on demand; false when the call is to have no effect. */
  private enter(kind: CallKind, offset: number, length: number, source: Uint8Array = NO_BYTES): boolean {
    this.mustBeOpen(SYSCALLS[kind])
    if (this.gone) throw new SystemError(errno.EISDIR, SYSCALLS[kind], this.path)
    if (!Number.isSafeInteger(offset) || offset < 0) throw new RangeError(`${kind} at offset ${offset}`)
    const changes = kind !== 'read' && kind !== 'sync'
    if (changes && !this.writable) throw new SystemError(errno.EBADF, SYSCALLS[kind], this.path)
    const outcome = this.host.enter({ kind, path: this.inode.path, offset, length })
    if (typeof outcome === 'string') return outcome === 'proceed'
    if (kind === 'sync') this.note('failed sync', 0, 0, null)
    const half = roundDown(offset + Math.floor(length / 2), SECTOR) - offset
    if (outcome.partial && half > 0 && source.length > 0) this.put(offset, source.subarray(0, half))
    throw new SystemError(outcome.code, SYSCALLS[kind], this.path)
  }

  private put(offset: number, source: Uint8Array): void {
    const { bytes } = this.inode
    bytes.write(offset, source)
    const first = roundDown(offset, SECTOR)
    const last = Math.min(roundUp(offset + source.length, SECTOR), bytes.size)
    this.note('write', first, last - first, bytes.bytes(first, last - first))
  }

  private note(kind: Change['kind'], offset: number, length: number, bytes: Uint8Array | null): void {
    const { path, recordedSize } = this.inode
    const { size } = this.inode.bytes
    this.inode.recordedSize = size
    this.host.record.push({ kind, path, offset, length, bytes, size, grew: size > recordedSize })
  }

  /** A length that leaves the buffer would be memory corruption on a real system: here it is an error. */
  private slice(buffer: IoBuffer, at: number, length: number): Uint8Array {
    if (!(at >= 0 && length >= 0 && at + length <= buffer.length)) {
      throw new RangeError(`${this.path}: bytes ${at}+${length} of a buffer of ${buffer.length}`)
    }
    return buffer.bytes.subarray(at, at + length)
  }

  private mustBeOpen(syscall: string): void {
    if (!this.open) throw new SystemError(errno.EBADF, syscall, this.path)
  }
}
