import { closeSync, constants, fstatSync, openSync } from 'node:fs'
import { errno, failed, SystemError } from '../libc/errno.js'
import * as files from '../libc/files.js'
import { IoBuffer } from '../libc/io-buffer.js'
import { ERRNO_TRIES, lastErrno } from '../libc/library.js'
import type { FileDescription, StorageFile } from './storage-file.js'

/** What zero() writes where the file system cannot punch holes. */
const ZEROS = new IoBuffer(1 << 20)

/** A file or block device of the system, by its descriptor. */
export class SystemFile implements StorageFile {
  readonly path: string
  readonly writable: boolean
  private readonly fd: number

  /** Attaches to an open descriptor; any number of threads may. */
  constructor(description: FileDescription) {
    this.path = description.path
    this.writable = description.writable
    this.fd = description.fd
  }

  read(buffer: IoBuffer, at: number, length: number, offset: number): number {
    let done = 0
    while (done < length) {
      const count = files.pread(this.fd, buffer.address + at + done, length - done, offset + done)
      if (count > 0) done += count
      else if (count === 0) break
      else if (lastErrno() !== errno.EINTR) throw failed('pread', this.path)
    }
    return done
  }

  write(buffer: IoBuffer, at: number, length: number, offset: number): void {
    let done = 0
    while (done < length) {
      const count = files.pwrite(this.fd, buffer.address + at + done, length - done, offset + done)
      if (count >= 0) done += count
      else if (lastErrno() !== errno.EINTR) throw failed('pwrite', this.path)
    }
  }

  sync(): void {
    if (files.fdatasync(this.fd) !== 0) throw failed('fdatasync', this.path)
  }

  zero(offset: number, length: number): void {
    const mode = files.FALLOC_FL_PUNCH_HOLE | files.FALLOC_FL_KEEP_SIZE
    for (let tries = 1; ; tries++) {
      if (files.fallocate(this.fd, mode, offset, length) === 0) return
      const error = lastErrno()
      if (error === errno.EOPNOTSUPP) break
      if (tries === ERRNO_TRIES) throw new SystemError(error, 'fallocate', this.path)
    }
    const end = Math.min(offset + length, this.size())
    for (let at = offset; at < end; at += ZEROS.length)
      this.write(ZEROS, 0, Math.min(ZEROS.length, end - at), at)
  }

  /** By lseek, which also knows block devices; the descriptor's own offset is used for nothing else. */
  size(): number {
    const size = files.lseek(this.fd, 0, files.SEEK_END)
    if (size < 0) throw failed('lseek', this.path)
    return size
  }

  beginSync(): void {
    files.syncFileRange(this.fd, 0, 0, files.SYNC_FILE_RANGE_WRITE)
  }

  truncate(size: number): void {
    if (files.ftruncate(this.fd, size) !== 0) throw failed('ftruncate', this.path)
  }

  stretch(offset: number, hole: boolean): number {
    for (let tries = 1; ; tries++) {
      const end = files.lseek(this.fd, offset, hole ? files.SEEK_DATA : files.SEEK_HOLE)
      if (end >= 0) return end
      const error = lastErrno()
      if (error === errno.ENXIO) return Math.max(offset, this.size())
      if (error === errno.EINVAL) return hole ? offset : this.size()
      if (tries === ERRNO_TRIES) throw new SystemError(error, 'lseek', this.path)
    }
  }

  allocated(): number {
    return fstatSync(this.fd).blocks * 512
  }

  describe(): FileDescription {
    return { path: this.path, fd: this.fd, writable: this.writable }
  }

  /** The number stays taken, by a directory, of which nothing can be read: nobody's new file gets it meanwhile. */
  letGo(): void {
    const directory = openSync('/', constants.O_RDONLY | constants.O_DIRECTORY)
    const result = files.dup2(directory, this.fd)
    closeSync(directory)
    if (result < 0) throw failed('dup2', this.path)
  }

  close(): void {
    try {
      closeSync(this.fd)
    } catch (error) {
      // It is closed all the same, on Linux; and of a file that was only read, a dead server's say, nothing is lost.
      if (this.writable) throw error
    }
  }
}
