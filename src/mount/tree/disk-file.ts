import { Extent } from '../../disk/extents.js'
import type { AttributeChange, Attributes, Caching } from '../../fuse/file-system.js'
import {
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  FALLOC_FL_ZERO_RANGE,
  SEEK_DATA,
} from '../../libc/files.js'
import type { IoBuffer } from '../../libc/io-buffer.js'
import * as atomics from '../../shared/atomics.js'
import { type FileNode, O_ACCMODE, refuse } from '../nodes.js'
import type { SharedWindow } from '../partition-files/shared-window.js'
import type { AttachedDisk } from './attached-disk.js'

const ATIME = 0
const MTIME = 2
const CTIME = 4

/**
 * The guest's disk, or a partition of it, as a file whose size never changes. Like a block device it ignores
 * O_TRUNC, so that `cp image /mnt/disk.raw` works, and refuses every other size.
 *
 * The times are what the kernel's write-back cache last said, or the mount's; they live as long as the mount.
 */
export class DiskFile implements FileNode {
  readonly caching: Caching
  private readonly times: Float64Array
  private readonly handles: Int32Array
  private readonly size: number
  /** Where the file begins on the disk. */
  private readonly start: number
  private readonly extent = new Extent()

  constructor(
    readonly name: string,
    private readonly source: AttachedDisk,
    readonly coherence: SharedWindow,
    private readonly mode: number,
    cached: boolean,
  ) {
    const { times, handles } = coherence.cells
    this.times = times
    this.handles = handles
    this.size = coherence.size
    this.start = coherence.offset
    this.caching = cached ? 'cached' : 'direct'
  }

  private get disk() {
    return this.source.disk
  }

  attributes(out: Attributes): void {
    const { disk, size, times } = this
    out.mode = S_IFREG | this.mode
    out.size = size
    out.blocks = Math.floor(Math.min(disk.allocated(), size + 511) / 512)
    out.atime = times[ATIME]
    out.atimeNanoseconds = times[ATIME + 1]
    out.mtime = times[MTIME]
    out.mtimeNanoseconds = times[MTIME + 1]
    out.ctime = times[CTIME]
    out.ctimeNanoseconds = times[CTIME + 1]
  }

  change(change: AttributeChange): void {
    const { size, mode, uid, gid } = change
    if (size !== null && size !== 0 && size !== this.size) throw refuse('EINVAL', 'truncate', this.name)
    if (mode !== null || uid !== null || gid !== null) throw refuse('EPERM', 'chmod', this.name)
    const now = Date.now()
    if (change.atime !== null) setTime(this.times, ATIME, change.atime, change.atimeNanoseconds, now)
    if (change.mtime !== null) setTime(this.times, MTIME, change.mtime, change.mtimeNanoseconds, now)
    setTime(this.times, CTIME, change.ctime ?? 'now', change.ctimeNanoseconds, now)
  }

  open(flags: number): number {
    if ((flags & O_ACCMODE) !== 0 && !this.source.writable) throw refuse('EROFS', 'open', this.name)
    this.coherence.opened()
    atomics.add(this.handles, 0, 1)
    return 0
  }

  read(_handle: number, buffer: IoBuffer, at: number, length: number, offset: number): number {
    const count = Math.max(0, Math.min(length, this.size - offset))
    if (count > 0) this.disk.read(this.start + offset, count, buffer, at)
    return count
  }

  write(_handle: number, buffer: IoBuffer, at: number, length: number, offset: number): number {
    // A write that begins before the end and goes beyond it is cut, as on a block device.
    const count = Math.min(length, this.size - offset)
    if (count <= 0 && length > 0) throw refuse('ENOSPC', 'write', this.name)
    if (count > 0) {
      const start = this.start + offset
      this.disk.write(start, count, buffer, at)
      this.coherence.wrote(start, start + count)
    }
    return count
  }

  /** With the last handle gone, what was written becomes durable without waiting for the timer. */
  release(): void {
    if (atomics.add(this.handles, 0, -1) === 1 && this.disk.needsFlush) this.disk.flush()
  }

  sync(): void {
    this.disk.flush()
  }

  allocate(mode: number, offset: number, length: number): void {
    const { disk } = this
    if (!disk.writable) throw refuse('EROFS', 'fallocate', this.name)
    const keepsSize = (mode & FALLOC_FL_KEEP_SIZE) !== 0
    const kind = mode & ~FALLOC_FL_KEEP_SIZE
    const end = offset + length
    if (kind === 0) {
      // Preallocation would promise space that the image's file system may not have.
      throw refuse('EOPNOTSUPP', 'fallocate', this.name)
    }
    if (kind !== FALLOC_FL_PUNCH_HOLE && kind !== FALLOC_FL_ZERO_RANGE)
      throw refuse('EOPNOTSUPP', 'fallocate', this.name)
    if (end > this.size && !keepsSize) throw refuse('ENOSPC', 'fallocate', this.name)
    const count = Math.min(end, this.size) - offset
    if (count <= 0) return
    const start = this.start + offset
    disk.zero(start, count)
    this.coherence.wrote(start, start + count)
  }

  seek(offset: number, whence: number): number {
    const { disk, start, size, extent } = this
    if (offset < 0 || offset >= size) throw refuse('ENXIO', 'lseek', this.name)
    const wanted = whence === SEEK_DATA
    for (let next = offset; next < size; next += extent.length) {
      disk.nextExtent(start + next, size - next, extent)
      if ((extent.data && !extent.hole) === wanted) return next
    }
    if (wanted) throw refuse('ENXIO', 'lseek', this.name)
    return size
  }
}

const S_IFREG = 0o100000

function setTime(
  times: Float64Array,
  at: number,
  value: number | 'now',
  nanoseconds: number,
  now: number,
): void {
  times[at] = value === 'now' ? Math.floor(now / 1000) : value
  times[at + 1] = value === 'now' ? (now % 1000) * 1e6 : nanoseconds
}
