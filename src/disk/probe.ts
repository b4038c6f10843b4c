import { ImageError } from '../errors.js'
import { type Format, PROBE_LENGTH } from '../formats/format.js'
import { formatByName, formatNames, probeFormat, probeOwnFormat } from '../formats/registry.js'
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

/**
 * The format of a file that has the data of the image at `imagePath`: what its header recorded, else raw. Whatever a
 * guest wrote there must not decide; but what looks like an image may be one, so that is asked.
 */
export function formatOfData(file: StorageFile, recorded: string | null, imagePath: string): Format {
  if (recorded !== null) return formatByName(recorded)
  const probed = probeOwnFormat(head(file))
  if (probed === null) return formatByName('raw')
  throw new ImageError(
    'REFUSED',
    `${imagePath}: the data file ${file.path} looks like a ${probed.name} image, and its format is not recorded; say what it is with "rawmount update ${imagePath} data_file_fmt=raw" or =${probed.name}`,
  )
}

/** The format of a file that is to become a base: by its magic, and raw only when that was said. */
export function formatOfNewBase(file: StorageFile, asked: string | null): Format {
  if (asked !== null) return formatByName(asked)
  const format = probeFormat(head(file), file.path)
  if (format !== null) return format
  throw new ImageError(
    'FORMAT_UNKNOWN',
    `${file.path}: carries no magic of a known format; if this base is a raw disk, say so with -F raw`,
  )
}

function head(file: StorageFile): Uint8Array {
  const buffer = new IoBuffer(PROBE_LENGTH)
  return buffer.bytes.subarray(0, file.read(buffer, 0, PROBE_LENGTH, 0))
}
