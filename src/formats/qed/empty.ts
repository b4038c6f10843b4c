import { ImageError } from '../../errors.js'
import type { StorageFile } from '../../storage/storage-file.js'
import { Geometry } from './geometry.js'
import { readHeader } from './header.js'

/**
 * Nothing is allocated any more:
 *
 *   1. the L1 table is zeroed; barrier
 *   2. what no entry names now is given back: the file ends behind the L1 table; barrier
 *
 * A cut in step 1 leaves each L1 entry as it was or zero, so a stretch of the disk is in the image or in the base, and both
 * show the same; the L2 tables and clusters that are not named any more are leaked, until the image is emptied again.
 *
 * @see Format.empty
 */
export function empty(file: StorageFile): void {
  const header = readHeader(file)
  if (header.needCheck || header.backing === null) {
    throw new TypeError(`${file.path}: is not cleanly closed, or has no base: it cannot be emptied`)
  }
  if (header.unknownCompat) {
    throw new ImageError(
      'FORMAT_UNSUPPORTED',
      `${file.path}: the header has compatible features that are unknown here, so the image is not emptied; say --keep, or use the program that made it`,
    )
  }
  const { clusterSize, headerSize, l1End, l1First, l1Offset, tableBytes } = new Geometry(header)
  file.zero(l1Offset, tableBytes)
  file.sync()
  // Images of others may have something between the header and the L1 table, where no cut of the file reaches.
  if (l1First > headerSize) file.zero(headerSize * clusterSize, (l1First - headerSize) * clusterSize)
  const end = l1End * clusterSize
  if (file.size() > end) file.truncate(end)
  file.sync()
}
