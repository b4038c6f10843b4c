import { ImageError } from '../../errors.js'
import type { StorageFile } from '../../storage/storage-file.js'
import type { OpenOptions, Resizing } from '../format.js'
import { AREA_LIMIT, readHeader } from './header.js'
import { mustHaveRoom } from './header-switch.js'
import { ENTRY_LENGTH } from './layout.js'
import { grow } from './resize-grow.js'
import { shrink } from './resize-shrink.js'
import { ResizedFile } from './resized-file.js'

/**
 * What depends on the size: the table of a compact image, which has an entry for each chunk, with the journal behind it;
 * the length of a flat image's data; base_img_size, which is never more than the size. The bitmap covers base_img_size
 * only, so a larger disk shows zeros behind its old end and needs no larger bitmap.
 *
 * The journal of an image that was closed cleanly says nothing, and what it still has could bring a chunk back that was
 * moved or freed: so it is wiped, durably, before anything else. Then
 *
 *   larger    1. what may be stored behind the old end is zeroed, the new entries of the table are empty, in their place
 *                or in a new table where there is room for it (resize-grow.ts); barrier
 *             2. the header (header-switch.ts); barrier
 *
 *   smaller   1. the header; barrier
 *             2. entries behind the new end become empty; barrier
 *             3. the storage that they named is given back (resize-shrink.ts)
 *
 * A power cut leaves the old size or the new one. Storage that nothing names is leaked at worst, and used again by the next
 * who writes; so neither an entry nor a byte behind the end counts on what is there.
 */
export const resizing: Resizing = { mustFit, resize }

function mustFit(file: StorageFile, size: number): void {
  const { raw, shape } = readHeader(file)
  const { path } = file
  if (shape.compact || raw.base_img_size > size) mustHaveRoom(path, raw)
  const table = shape.compact ? Math.ceil(size / shape.chunkSize) * ENTRY_LENGTH : 0
  if (table > AREA_LIMIT) {
    throw new ImageError(
      'INVALID',
      `${path}: the table for ${size} bytes would take ${table} bytes, and at most ${AREA_LIMIT} are kept in memory; convert the image to a larger chunk_size with "rawmount convert"`,
    )
  }
  const limit = raw.metadata_size + 2 * (table + shape.chunkSize) + shape.growUnit + size
  if (!Number.isSafeInteger(limit))
    throw new ImageError(
      'INVALID',
      `${path}: could grow to ${limit} bytes, more than 2^53; take a smaller size`,
    )
}

function resize(file: StorageFile, size: number, { companion }: Pick<OpenOptions, 'companion'>): void {
  const header = readHeader(file)
  const resized = new ResizedFile(file, header.dataFile === null ? file : companion(header.dataFile), header)
  resized.wipeJournal()
  if (size > header.shape.size) grow(resized, size)
  else shrink(resized, size)
}
