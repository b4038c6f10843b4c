import { ImageError } from '../errors.js'
import { IoBuffer } from '../libc/io-buffer.js'
import type { StorageFile } from '../storage/storage-file.js'

/**
 * The name of a backing file, of which the header told place and length, and the caller has seen that both can be.
 * `damaged` makes the format's complaint of a damaged header.
 */
export function readStoredName(
  file: StorageFile,
  offset: number,
  length: number,
  damaged: (file: StorageFile, what: string) => ImageError,
): string {
  const buffer = new IoBuffer(length)
  if (file.read(buffer, 0, length, offset) < length) throw damaged(file, 'the backing file name is cut off')
  if (buffer.bytes.includes(0)) throw damaged(file, 'the backing file name contains a NUL byte')
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(buffer.bytes)
  } catch (cause) {
    throw new ImageError(
      'FORMAT_UNSUPPORTED',
      `${file.path}: the backing file name is not UTF-8; rename the backing file`,
      { cause },
    )
  }
}
