import { closeSync, constants, openSync } from 'node:fs'
import { pread } from '../../src/libc/files.js'
import { IoBuffer } from '../../src/libc/io-buffer.js'
import { BLOCK } from '../pattern.js'
import { now } from './clock.js'

const MOST = 1 << 20

/**
 * Reads a disk made of images.ts's template past the page cache, as a hypervisor with cache=none does. Blocks until the
 * bytes are there: not for a process that serves mounts.
 */
export class DirectReader {
  private readonly buffer = new IoBuffer(MOST)
  private readonly descriptor: number

  constructor(private readonly path: string) {
    this.descriptor = openSync(path, constants.O_RDONLY | constants.O_DIRECT)
  }

  /** Returns the milliseconds that it took. Throws when other bytes came than the template has there. */
  read(offset: number, length: number): number {
    const begun = now()
    const got = pread(this.descriptor, this.buffer.address, length, offset)
    const took = now() - begun
    if (got !== length) throw new Error(`${this.path}: ${got} bytes at ${offset} instead of ${length}`)
    for (let at = 0; at < length; at += BLOCK) {
      if (this.buffer.view.getBigUint64(at, true) !== BigInt(offset + at))
        throw new Error(`${this.path}: wrong bytes at ${offset + at}`)
    }
    return took
  }

  close(): void {
    closeSync(this.descriptor)
  }
}
