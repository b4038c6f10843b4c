import { Counter, type Counters } from '../../fuse/counters.js'
import type { AttributeChange, Attributes, Caching } from '../../fuse/file-system.js'
import type { IoBuffer } from '../../libc/io-buffer.js'
import type { Coherence, FileNode } from '../nodes.js'

/** A file whose requests are counted apart: of one image, where a mount has many. */
export class CountedFile implements FileNode {
  constructor(
    private readonly file: FileNode,
    private readonly counters: Counters,
  ) {}

  get name(): string {
    return this.file.name
  }

  get caching(): Caching {
    return this.file.caching
  }

  get coherence(): Coherence | undefined {
    return this.file.coherence
  }

  attributes(out: Attributes): void {
    this.file.attributes(out)
  }

  change(change: AttributeChange): void {
    this.counters.add(Counter.others, 1)
    this.counted(() => this.file.change(change))
  }

  open(flags: number): number {
    this.counters.add(Counter.others, 1)
    return this.file.open(flags)
  }

  read(handle: number, buffer: IoBuffer, at: number, length: number, offset: number): number {
    this.counters.add(Counter.reads, 1)
    try {
      const got = this.file.read(handle, buffer, at, length, offset)
      this.counters.add(Counter.bytesRead, got)
      return got
    } catch (error) {
      this.counters.add(Counter.errors, 1)
      throw error
    }
  }

  write(handle: number, buffer: IoBuffer, at: number, length: number, offset: number): number {
    this.counters.add(Counter.writes, 1)
    try {
      const put = this.file.write(handle, buffer, at, length, offset)
      this.counters.add(Counter.bytesWritten, put)
      return put
    } catch (error) {
      this.counters.add(Counter.errors, 1)
      throw error
    }
  }

  release(handle: number): void {
    this.file.release(handle)
  }

  sync(): void {
    this.counters.add(Counter.syncs, 1)
    this.counted(() => this.file.sync())
  }

  allocate(mode: number, offset: number, length: number): void {
    this.counters.add(Counter.others, 1)
    this.counted(() => this.file.allocate(mode, offset, length))
  }

  seek(offset: number, whence: number): number {
    return this.file.seek(offset, whence)
  }

  private counted(action: () => void): void {
    try {
      action()
    } catch (error) {
      this.counters.add(Counter.errors, 1)
      throw error
    }
  }
}
