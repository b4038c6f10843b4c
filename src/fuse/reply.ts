import { writeU64 } from '../bytes.js'
import type { IoBuffer } from '../libc/io-buffer.js'
import type { Attributes, DirectoryEntry, FileSystemStatistics } from './file-system.js'
import {
  Attr,
  AttrOut,
  Dirent,
  DirentType,
  EntryOut,
  IoctlOut,
  LseekOut,
  OpenOut,
  OutHeader,
  StatfsOut,
  WriteOut,
} from './protocol.js'

/**
 * Writers of the replies' bodies. Each puts its body behind the place of the header and returns the length of the
 * whole reply, header included.
 */

/** st_blksize: what cp and dd take as a good unit. */
const BLOCK_SIZE = 65_536

/** For names that never change. */
const ENTRY_SECONDS = 86_400
/** The allocated size, which du shows, grows while the image is written: it must not be older than this. */
const ATTR_SECONDS = 1

const encoder = new TextEncoder()

function writeAttributes(view: DataView, at: number, attributes: Attributes): void {
  writeU64(view, at + Attr.inode, attributes.inode)
  writeU64(view, at + Attr.size, attributes.size)
  writeU64(view, at + Attr.blocks, attributes.blocks)
  writeU64(view, at + Attr.atime, attributes.atime)
  writeU64(view, at + Attr.mtime, attributes.mtime)
  writeU64(view, at + Attr.ctime, attributes.ctime)
  view.setUint32(at + Attr.atimeNanoseconds, attributes.atimeNanoseconds, true)
  view.setUint32(at + Attr.mtimeNanoseconds, attributes.mtimeNanoseconds, true)
  view.setUint32(at + Attr.ctimeNanoseconds, attributes.ctimeNanoseconds, true)
  view.setUint32(at + Attr.mode, attributes.mode, true)
  view.setUint32(at + Attr.links, attributes.links, true)
  view.setUint32(at + Attr.uid, attributes.uid, true)
  view.setUint32(at + Attr.gid, attributes.gid, true)
  view.setUint32(at + Attr.rdev, 0, true)
  view.setUint32(at + Attr.blockSize, BLOCK_SIZE, true)
  view.setUint32(at + Attr.flags, 0, true)
}

/** `cacheable`: the kernel may keep the attributes for a moment. */
export function attributesReply(out: IoBuffer, attributes: Attributes, cacheable: boolean): number {
  const { view } = out
  writeU64(view, AttrOut.valid, cacheable ? ATTR_SECONDS : 0)
  writeU64(view, AttrOut.validNanoseconds, 0)
  writeAttributes(view, AttrOut.attr, attributes)
  return AttrOut.SIZE
}

/** `lasting`: the name will always lead there. */
export function entryReply(
  out: IoBuffer,
  attributes: Attributes,
  lasting: boolean,
  cacheable: boolean,
): number {
  const { view } = out
  writeU64(view, EntryOut.node, attributes.inode)
  writeU64(view, EntryOut.generation, 0)
  writeU64(view, EntryOut.entryValid, lasting ? ENTRY_SECONDS : 0)
  writeU64(view, EntryOut.attrValid, cacheable ? ATTR_SECONDS : 0)
  writeU64(view, EntryOut.entryValidNanoseconds, 0)
  writeAttributes(view, EntryOut.attr, attributes)
  return EntryOut.SIZE
}

export function openReply(out: IoBuffer, handle: number, flags: number): number {
  writeU64(out.view, OpenOut.handle, handle)
  writeU64(out.view, OpenOut.flags, flags)
  return OpenOut.SIZE
}

export function writeReply(out: IoBuffer, length: number): number {
  writeU64(out.view, WriteOut.size, length)
  return WriteOut.SIZE
}

export function seekReply(out: IoBuffer, offset: number): number {
  writeU64(out.view, LseekOut.offset, offset)
  return LseekOut.SIZE
}

/** The data are there already, `length` bytes of them, which is what ioctl(2) returns. */
export function ioctlReply(out: IoBuffer, length: number): number {
  out.bytes.fill(0, OutHeader.SIZE, IoctlOut.SIZE)
  out.view.setInt32(IoctlOut.result, length, true)
  return IoctlOut.SIZE + length
}

export function statisticsReply(out: IoBuffer, statistics: FileSystemStatistics): number {
  const { view } = out
  out.bytes.fill(0, OutHeader.SIZE, StatfsOut.SIZE)
  writeU64(view, StatfsOut.blocks, statistics.blocks)
  writeU64(view, StatfsOut.blocksFree, statistics.blocksFree)
  writeU64(view, StatfsOut.blocksAvailable, statistics.blocksFree)
  writeU64(view, StatfsOut.files, statistics.files)
  view.setUint32(StatfsOut.blockSize, statistics.blockSize, true)
  view.setUint32(StatfsOut.nameLength, statistics.nameLength, true)
  view.setUint32(StatfsOut.fragmentSize, statistics.blockSize, true)
  return StatfsOut.SIZE
}

/** The entries from number `first` on, as many as fit into `room` bytes; the offset of an entry is its number. */
export function directoryReply(
  out: IoBuffer,
  entries: readonly DirectoryEntry[],
  first: number,
  room: number,
): number {
  const { view, bytes } = out
  const limit = OutHeader.SIZE + room
  let at: number = OutHeader.SIZE
  for (let number = first; number < entries.length; number++) {
    const entry = entries[number]!
    const name = encoder.encode(entry.name)
    const next = at + alignDirent(Dirent.name + name.length)
    if (next > limit) break
    writeU64(view, at + Dirent.inode, entry.inode)
    writeU64(view, at + Dirent.offset, number + 1)
    view.setUint32(at + Dirent.nameLength, name.length, true)
    view.setUint32(at + Dirent.type, entry.directory ? DirentType.DIRECTORY : DirentType.REGULAR, true)
    bytes.set(name, at + Dirent.name)
    bytes.fill(0, at + Dirent.name + name.length, next)
    at = next
  }
  return at
}

function alignDirent(length: number): number {
  return Math.ceil(length / Dirent.ALIGNMENT) * Dirent.ALIGNMENT
}
