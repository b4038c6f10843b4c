import { ImageError } from '../errors.js'
import { type Format, PROBE_LENGTH } from '../formats/format.js'
import { formatByName, formatNames, probeFormat } from '../formats/registry.js'
import { IoBuffer } from '../libc/io-buffer.js'
import type { StorageFile } from '../storage/storage-file.js'

/**
 * The format of the file that the user named. Raw is never guessed: what a guest writes into a raw disk must not
 * decide how it is opened the next time.
 */
export function formatOfNamed(file: StorageFile, asked: string | null): Format {
  if (asked !== null) return formatByName(asked)
  const format = probeFormat(head(file), file.path)
  if (format !== null) return format
  const known = formatNames().filter(name => name !== 'raw')
  throw new ImageError(
    'FORMAT_UNKNOWN',
    `${file.path}: carries no magic of a known format (${known.join(', ')}); if it is a raw disk, say so with --format raw`,
  )
}

/** The format of a backing file: what the header recorded, else by its magic, else raw. */
export function formatOfBacking(file: StorageFile, recorded: string | null): Format {
  if (recorded !== null) return formatByName(recorded)
  return probeFormat(head(file), file.path) ?? formatByName('raw')
}

function head(file: StorageFile): Uint8Array {
  const buffer = new IoBuffer(PROBE_LENGTH)
  return buffer.bytes.subarray(0, file.read(buffer, 0, PROBE_LENGTH, 0))
}
