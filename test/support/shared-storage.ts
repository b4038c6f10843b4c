import { resolve } from 'node:path'
import { ImageError } from '../../src/errors.js'
import { errno, SystemError } from '../../src/libc/errno.js'
import type { IoBuffer } from '../../src/libc/io-buffer.js'
import type { FileDescription, FileFacts, StorageFile, StorageHost } from '../../src/storage/storage-file.js'
import { Kind, Level, turns } from './scheduler/turns.js'

/**
 * Files in shared memory, for runs in which threads take turns (scheduler/turns.ts): each call is a point of the
 * schedule, and takes effect at once. Reads are counted by sector.
 *
 * The description of a file carries its memory, so that any thread attaches to it as it would to a descriptor.
 */
export const CAPACITY = 128 << 10
const SECTOR = 512

/** Words of `numbers`; behind them, the reads of each sector. */
const Slot = { size: 0, reads: 1, failReads: 2, failWrites: 3, sealed: 4, gone: 5, length: 16 } as const

interface SharedMemory {
  readonly bytes: SharedArrayBuffer
  readonly numbers: SharedArrayBuffer
}

export interface SharedDescription extends FileDescription {
  readonly memory: SharedMemory
}

export class SharedFile implements StorageFile {
  readonly path: string
  readonly writable: boolean
  private readonly bytes: Uint8Array
  private readonly numbers: Int32Array

  constructor(private readonly description: FileDescription) {
    const { memory, path, writable } = description as SharedDescription
    this.path = path
    this.writable = writable
    this.bytes = new Uint8Array(memory.bytes)
    this.numbers = new Int32Array(memory.numbers)
  }

  read(buffer: IoBuffer, at: number, length: number, offset: number): number {
    turns()?.point(Level.coarse, Kind.read, offset, length)
    if (this.numbers[Slot.gone] !== 0) throw new SystemError(errno.EISDIR, 'pread', this.path)
    this.failIfTold(Slot.failReads, 'pread')
    const count = Math.max(0, Math.min(length, this.size() - offset))
    this.numbers[Slot.reads]!++
    for (let at = Math.floor(offset / SECTOR); at < (offset + count) / SECTOR; at++) {
      this.numbers[Slot.length + at]!++
    }
    this.inHalves(count, Kind.read, offset, (from, to) =>
      buffer.bytes.set(this.bytes.subarray(offset + from, offset + to), at + from),
    )
    return count
  }

  write(buffer: IoBuffer, at: number, length: number, offset: number): void {
    turns()?.point(Level.coarse, Kind.write, offset, length)
    if (!this.writable) throw new SystemError(errno.EBADF, 'pwrite', this.path)
    this.refuseIfSealed()
    this.failIfTold(Slot.failWrites, 'pwrite')
    if (offset + length > CAPACITY) throw new SystemError(errno.ENOSPC, 'pwrite', this.path)
    this.inHalves(length, Kind.write, offset, (from, to) => {
      this.bytes.set(buffer.bytes.subarray(at + from, at + to), offset + from)
      this.numbers[Slot.size] = Math.max(this.size(), offset + to)
    })
  }

  sync(): void {
    turns()?.point(Level.coarse, Kind.sync)
  }

  zero(offset: number, length: number): void {
    turns()?.point(Level.coarse, Kind.zero, offset, length)
    this.refuseIfSealed()
    const end = Math.min(offset + length, this.size())
    if (end > offset) this.bytes.fill(0, offset, end)
  }

  size(): number {
    return this.numbers[Slot.size]!
  }

  truncate(size: number): void {
    turns()?.point(Level.coarse, Kind.truncate, size)
    this.refuseIfSealed()
    if (size > CAPACITY) throw new SystemError(errno.ENOSPC, 'ftruncate', this.path)
    if (size < this.size()) this.bytes.fill(0, size, this.size())
    this.numbers[Slot.size] = size
  }

  stretch(offset: number, hole: boolean): number {
    return hole ? offset : Math.max(offset, this.size())
  }

  allocated(): number {
    return this.size()
  }

  describe(): FileDescription {
    return this.description
  }

  letGo(): void {
    this.numbers[Slot.gone] = 1
  }

  close(): void {}

  /** Becomes what the other file is in this moment. */
  become(other: SharedFile): void {
    this.bytes.set(other.bytes)
    this.numbers.set(other.numbers)
  }

  /** From now on no thread may change the file any more. */
  seal(): void {
    this.numbers[Slot.sealed] = 1
  }

  get isSealed(): boolean {
    return this.numbers[Slot.sealed] !== 0
  }

  private refuseIfSealed(): void {
    if (this.isSealed) throw new Error(`${this.path}: is changed after it was closed`)
  }

  /** With every access a point, a long transfer is not one either; a sector is. */
  private inHalves(
    length: number,
    kind: Kind,
    offset: number,
    move: (from: number, to: number) => void,
  ): void {
    const half = Math.floor(length / 2 / SECTOR) * SECTOR
    if (half > 0) {
      move(0, half)
      turns()?.point(Level.fine, kind, offset + half, length - half)
    }
    move(half, length)
  }

  private failIfTold(word: number, syscall: string): void {
    if (this.numbers[word] === 0) return
    if (this.numbers[word]! > 0) this.numbers[word]!--
    throw new SystemError(errno.EIO, syscall, this.path)
  }
}

export class SharedStorage implements StorageHost {
  private readonly files = new Map<string, SharedMemory>()

  inspect(path: string): FileFacts {
    this.find(path, 'stat')
    return { kind: 'regular', description: 'a regular file', identity: resolve(path) }
  }

  open(path: string, writable: boolean): StorageFile {
    return this.attach(path, this.find(path, 'open'), writable)
  }

  create(path: string, overwrite: boolean): StorageFile {
    if (this.files.has(resolve(path)) && !overwrite) throw new SystemError(errno.EEXIST, 'open', path)
    const memory = {
      bytes: new SharedArrayBuffer(CAPACITY),
      numbers: new SharedArrayBuffer((Slot.length + CAPACITY / SECTOR) * 4),
    }
    this.files.set(resolve(path), memory)
    return this.attach(path, memory, true)
  }

  remove(path: string): void {
    this.find(path, 'unlink')
    this.files.delete(resolve(path))
  }

  lock(file: StorageFile): void {
    if (!this.files.has(resolve(file.path))) throw new ImageError('IN_USE', `${file.path}: is gone`)
  }

  /** All that the files are: what a run must find as the one before did. */
  memory(): SharedArrayBuffer[] {
    return [...this.files.values()].flatMap(({ bytes, numbers }) => [bytes, numbers])
  }

  /** The files as they are, for whoever opens them next after all programs died. */
  clone(): SharedStorage {
    const copy = new SharedStorage()
    for (const [path, { bytes, numbers }] of this.files) {
      const memory = { bytes: bytes.slice(0), numbers: numbers.slice(0) }
      new Int32Array(memory.numbers).fill(0, Slot.reads, Slot.length)
      copy.files.set(path, memory)
    }
    return copy
  }

  rename(from: string, to: string): void {
    this.files.set(resolve(to), this.find(from, 'rename'))
    this.files.delete(resolve(from))
  }

  /** Which sectors of the file were read, and how often. */
  readsBySector(path: string): Int32Array {
    const { numbers } = this.find(path, 'open')
    const words = new Int32Array(numbers)
    return words.subarray(Slot.length, Slot.length + Math.ceil(words[Slot.size]! / SECTOR))
  }

  forgetReads(): void {
    for (const path of this.files.keys()) this.readsBySector(path).fill(0)
  }

  unseal(path: string): void {
    new Int32Array(this.find(path, 'open').numbers)[Slot.sealed] = 0
  }

  /** The next `count` reads or writes fail with EIO; -1: all. */
  fail(path: string, kind: 'reads' | 'writes', count: number): void {
    const words = new Int32Array(this.find(path, 'open').numbers)
    words[kind === 'reads' ? Slot.failReads : Slot.failWrites] = count
  }

  private attach(path: string, memory: SharedMemory, writable: boolean): StorageFile {
    const description: SharedDescription = { path, fd: -1, writable, memory }
    return new SharedFile(description)
  }

  private find(path: string, syscall: string): SharedMemory {
    const memory = this.files.get(resolve(path))
    if (memory === undefined) throw new SystemError(errno.ENOENT, syscall, path)
    return memory
  }
}
