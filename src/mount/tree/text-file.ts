import type { Attributes, Caching } from '../../fuse/file-system.js'
import type { IoBuffer } from '../../libc/io-buffer.js'
import type { TextSlots } from '../../shared/text-slots.js'
import { type FileNode, O_ACCMODE, refuse } from '../nodes.js'

const S_IFREG = 0o100000

/** A file whose text is made when it is opened, and stays the same for that handle. */
export class TextFile implements FileNode {
  readonly caching: Caching = 'direct'

  constructor(
    readonly name: string,
    private readonly slots: TextSlots,
    private readonly mode: number,
    private readonly produce: () => string,
  ) {}

  /** The size of the text of this moment; that of an open handle may differ. */
  attributes(out: Attributes): void {
    const now = Date.now()
    out.mode = S_IFREG | this.mode
    out.size = Buffer.byteLength(this.produce())
    out.atime = out.mtime = out.ctime = Math.floor(now / 1000)
    out.atimeNanoseconds = out.mtimeNanoseconds = out.ctimeNanoseconds = (now % 1000) * 1e6
  }

  change(): void {
    throw refuse('EPERM', 'setattr', this.name)
  }

  open(flags: number): number {
    if ((flags & O_ACCMODE) !== 0) throw refuse('EACCES', 'open', this.name)
    const slot = this.slots.put(this.produce())
    if (slot < 0) throw refuse('ENFILE', 'open', this.name)
    return slot
  }

  read(handle: number, buffer: IoBuffer, at: number, length: number, offset: number): number {
    return this.slots.read(handle, offset, length, buffer.bytes, at)
  }

  write(): number {
    throw refuse('EBADF', 'write', this.name)
  }

  release(handle: number): void {
    this.slots.free(handle)
  }

  sync(): void {}

  allocate(): void {
    throw refuse('EOPNOTSUPP', 'fallocate', this.name)
  }

  seek(): number {
    throw refuse('EINVAL', 'lseek', this.name)
  }
}
