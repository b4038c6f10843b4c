import { ImageError } from '../errors.js'
import { errno, failed } from '../libc/errno.js'
import { read, write } from '../libc/files.js'
import { IoBuffer } from '../libc/io-buffer.js'
import { lastErrno } from '../libc/library.js'
import {
  FUSE_MAJOR,
  FUSE_MINOR,
  FUSE_OLDEST_MINOR,
  InHeader,
  InitFlag,
  InitFlag2,
  InitIn,
  InitOut,
  Opcode,
  OutHeader,
} from './protocol.js'

/**
 * How the kernel caches the files of the mount: "writeback" collects small writes in the page cache, "writethrough"
 * sends each on at once, "none" has every read and write come through.
 */
export type CacheMode = 'writeback' | 'writethrough' | 'none'

/** What was agreed on with the kernel. */
export interface Negotiated {
  readonly minor: number
  /** Bytes of one WRITE, at most. */
  readonly maxWrite: number
  readonly maxReadahead: number
  /** False where it was asked for, but the kernel has none. */
  readonly writeback: boolean
  /** Shared memory maps of files whose reads and writes all come through. */
  readonly directMaps: boolean
}

/** Bytes of the largest READ and WRITE: 256 pages, the most that a kernel takes without a sysctl. */
export const MAX_REQUEST = 1024 * 1024
/** Without MAX_PAGES a request has at most 32 pages. */
const MAX_REQUEST_OLD = 128 * 1024
const MAX_PAGES = 256

/** Requests that nobody waits for (read-ahead, write-back, asynchronous direct I/O) in flight at once. */
const MAX_BACKGROUND = 64
const CONGESTION_THRESHOLD = 48

const WANTED =
  InitFlag.ASYNC_READ |
  InitFlag.BIG_WRITES |
  InitFlag.ASYNC_DIO |
  InitFlag.PARALLEL_DIROPS |
  InitFlag.ABORT_ERROR |
  InitFlag.MAX_PAGES |
  InitFlag.INIT_EXT

/**
 * Reads INIT, which waits on the descriptor since the mount, and answers it. Main thread, once, before the first
 * session starts. Throws an ImageError MOUNT for a kernel that cannot be served.
 */
export function handshake(fd: number, cache: CacheMode): Negotiated {
  const buffer = new IoBuffer(MAX_REQUEST + 4096)
  for (;;) {
    const length = receive(fd, buffer)
    const negotiated = answerInit(buffer, length, cache)
    const size = buffer.view.getUint32(OutHeader.length, true)
    if (write(fd, buffer.address, size) !== size) throw failed('write', '/dev/fuse')
    if (negotiated !== null) return negotiated
  }
}

function receive(fd: number, buffer: IoBuffer): number {
  for (;;) {
    const length = read(fd, buffer.address, buffer.length)
    if (length >= 0) return length
    const error = lastErrno()
    if (error !== errno.EINTR && error !== errno.EAGAIN && error !== errno.ENOENT)
      throw failed('read', '/dev/fuse')
  }
}

/** Writes the reply over the request. Null: the kernel speaks a newer major version and will ask again. */
export function answerInit(buffer: IoBuffer, length: number, cache: CacheMode): Negotiated | null {
  const { view } = buffer
  if (length < InitIn.SIZE || view.getUint32(InHeader.opcode, true) !== Opcode.INIT) {
    throw new ImageError('MOUNT', 'the kernel did not begin with INIT on /dev/fuse: try --transport libfuse')
  }
  const major = view.getUint32(InitIn.major, true)
  const minor = Math.min(view.getUint32(InitIn.minor, true), FUSE_MINOR)
  if (major < FUSE_MAJOR || (major === FUSE_MAJOR && minor < FUSE_OLDEST_MINOR)) {
    throw new ImageError(
      'MOUNT',
      `the kernel speaks FUSE ${major}.${minor}, at least ${FUSE_MAJOR}.${FUSE_OLDEST_MINOR} is needed: try --transport libfuse`,
    )
  }
  const maxReadahead = Math.min(view.getUint32(InitIn.maxReadahead, true), MAX_REQUEST)
  const offered = view.getUint32(InitIn.flags, true)
  const extended = (offered & InitFlag.INIT_EXT) !== 0 && length >= InitIn.EXT_SIZE
  const offered2 = extended ? view.getUint32(InitIn.flags2, true) : 0

  const wanted = cache === 'writeback' ? WANTED | InitFlag.WRITEBACK_CACHE : WANTED
  const flags = extended ? offered & wanted : offered & wanted & ~InitFlag.INIT_EXT
  const flags2 = offered2 & InitFlag2.DIRECT_IO_ALLOW_MMAP
  const maxWrite = (flags & InitFlag.MAX_PAGES) !== 0 ? MAX_REQUEST : MAX_REQUEST_OLD

  // The unique number stays where it is: both headers have it at the same place.
  buffer.bytes.fill(0, OutHeader.SIZE, InitOut.SIZE)
  view.setUint32(OutHeader.length, major > FUSE_MAJOR ? InitOut.maxReadahead : InitOut.SIZE, true)
  view.setInt32(OutHeader.error, 0, true)
  view.setUint32(InitOut.major, FUSE_MAJOR, true)
  view.setUint32(InitOut.minor, major > FUSE_MAJOR ? FUSE_MINOR : minor, true)
  if (major > FUSE_MAJOR) return null

  view.setUint32(InitOut.maxReadahead, maxReadahead, true)
  view.setUint32(InitOut.flags, flags, true)
  view.setUint16(InitOut.maxBackground, MAX_BACKGROUND, true)
  view.setUint16(InitOut.congestionThreshold, CONGESTION_THRESHOLD, true)
  view.setUint32(InitOut.maxWrite, maxWrite, true)
  view.setUint32(InitOut.timeGranularity, 1, true)
  view.setUint16(InitOut.maxPages, MAX_PAGES, true)
  view.setUint32(InitOut.flags2, flags2, true)
  return {
    minor,
    maxWrite,
    maxReadahead,
    writeback: (flags & InitFlag.WRITEBACK_CACHE) !== 0,
    directMaps: flags2 !== 0,
  }
}
