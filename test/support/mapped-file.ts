import { failed } from '../../src/libc/errno.js'
import { IoBuffer } from '../../src/libc/io-buffer.js'
import { declare } from '../../src/libc/library.js'

const mmap = declare(
  'intptr_t mmap(intptr_t address, size_t length, int protection, int flags, int fd, int64_t offset)',
)
const munmap = declare('int munmap(intptr_t address, size_t length)')
const msync = declare('int msync(intptr_t address, size_t length, int flags)')
const memcpy = declare('intptr_t memcpy(intptr_t to, intptr_t from, size_t length)')

const PROT_READ_WRITE = 3
const MAP_SHARED = 1
const MS_SYNC = 4

/** A part of a file as memory that is shared with it. An I/O error behind it is a SIGBUS: use it in a child only. */
export class MappedFile {
  private readonly address: number
  private readonly buffer = new IoBuffer(1 << 20)

  constructor(
    fd: number,
    offset: number,
    private readonly length: number,
  ) {
    this.address = mmap(0, length, PROT_READ_WRITE, MAP_SHARED, fd, offset)
    if (this.address === -1) throw failed('mmap', `fd ${fd}`)
  }

  read(at: number, length: number): Uint8Array {
    memcpy(this.buffer.address, this.address + at, length)
    return this.buffer.bytes.slice(0, length)
  }

  write(at: number, bytes: Uint8Array): void {
    this.buffer.bytes.set(bytes)
    memcpy(this.address + at, this.buffer.address, bytes.length)
  }

  sync(): void {
    if (msync(this.address, this.length, MS_SYNC) !== 0) throw failed('msync', 'mapped file')
  }

  close(): void {
    munmap(this.address, this.length)
  }
}
