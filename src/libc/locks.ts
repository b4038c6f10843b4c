import { IoBuffer } from './io-buffer.js'
import { declare } from './library.js'

/** @see man 2 fcntl, "Open file description locks" */
export const fcntl = declare('int fcntl(int fd, int command, intptr_t argument)')

export const F_OFD_GETLK = 36
export const F_OFD_SETLK = 37
export const F_RDLCK = 0
export const F_WRLCK = 1
export const F_UNLCK = 2

/** struct flock of 64-bit Linux: type s16, whence s16, (4 bytes), start s64, length s64, pid s32. */
export class Flock {
  private readonly memory = new IoBuffer(32)

  /** Fills the struct in, offsets from the start of the file, and returns its address for fcntl. */
  range(type: number, start: number, length: number): number {
    this.memory.bytes.fill(0)
    this.memory.view.setInt16(0, type, true)
    this.memory.view.setBigInt64(8, BigInt(start), true)
    this.memory.view.setBigInt64(16, BigInt(length), true)
    return this.memory.address
  }

  /** After F_OFD_GETLK: F_UNLCK when the lock could be had. */
  get type(): number {
    return this.memory.view.getInt16(0, true)
  }
}
