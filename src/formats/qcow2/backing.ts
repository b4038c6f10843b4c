import { IoBuffer } from '../../libc/io-buffer.js'
import type { StorageFile } from '../../storage/storage-file.js'
import type { BackingReference } from '../format.js'
import { readStoredName } from '../stored-name.js'
import { damaged } from './complaints.js'
import { type ExtensionArea, walkExtensions } from './extensions.js'
import { Extension, type RawHeader } from './layout.js'

/** Bytes; what QEMU takes, and far below what any path may have. */
export const MAX_BACKING_NAME = 1023
/** Bytes; QEMU has room for so many. */
const MAX_FORMAT_NAME = 15

/** Throws ImageError for a name or a header extension that cannot be. */
export function readBacking(
  file: StorageFile,
  raw: RawHeader,
  extensions: ExtensionArea,
): BackingReference | null {
  const name = readName(file, raw)
  const format = readFormat(file, extensions)
  return name === null ? null : { name, format }
}

function readName(file: StorageFile, raw: RawHeader): string | null {
  const { backingNameOffset: offset, backingNameSize: size, headerLength, clusterBits } = raw
  if (offset === 0) return null
  if (size === 0) throw damaged(file, 'the header announces a backing file, but its name is empty')
  if (size > MAX_BACKING_NAME) {
    throw damaged(file, `backing_file_size is ${size}, more than ${MAX_BACKING_NAME} bytes`)
  }
  if (offset < headerLength || offset + size > 2 ** clusterBits) {
    throw damaged(
      file,
      `backing_file_offset is ${offset}: the name must lie behind the header's fields and within its cluster`,
    )
  }
  return readStoredName(file, offset, size, damaged)
}

/** The name of the external data file; null when the header does not tell it. */
export function readDataFileName(file: StorageFile, extensions: ExtensionArea): string | null {
  const { at, size } = findExtension(file, extensions, Extension.dataFileName)
  if (size === 0) return null
  if (size > MAX_BACKING_NAME)
    throw damaged(file, `the name of the data file has ${size} bytes, more than ${MAX_BACKING_NAME}`)
  return readStoredName(file, at, size, damaged)
}

/** What the extension records; null when there is none, or it is empty. */
function readFormat(file: StorageFile, extensions: ExtensionArea): string | null {
  const { at, size } = findExtension(file, extensions, Extension.backingFormat)
  if (size === 0) return null
  if (size > MAX_FORMAT_NAME) {
    throw damaged(
      file,
      `the name of the backing file's format has ${size} bytes, more than ${MAX_FORMAT_NAME}`,
    )
  }
  const buffer = new IoBuffer(size)
  if (file.read(buffer, 0, size, at) < size)
    throw damaged(file, "the name of the backing file's format is cut off")
  const format = Buffer.from(buffer.bytes).toString('latin1')
  if (!/^[\w.+-]+$/.test(format)) throw damaged(file, "the name of the backing file's format is not a name")
  return format
}

/** Where its data lie, bytes; of size 0 when there is none. */
function findExtension(
  file: StorageFile,
  extensions: ExtensionArea,
  wanted: number,
): { at: number; size: number } {
  const found = { at: 0, size: 0 }
  const isSound = walkExtensions(file, extensions, (type, at, size) => {
    if (type === wanted) Object.assign(found, { at, size })
  })
  if (!isSound) throw damaged(file, 'a header extension is longer than the space for it')
  return found
}
