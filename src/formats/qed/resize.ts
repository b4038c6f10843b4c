import { writeU64 } from '../../bytes.js'
import { ImageError } from '../../errors.js'
import { IoBuffer } from '../../libc/io-buffer.js'
import type { StorageFile } from '../../storage/storage-file.js'
import type { Resizing } from '../format.js'
import { check } from './check.js'
import { decodeL1Entry, decodeL2Entry, INVALID, UNALLOCATED, ZERO } from './entries.js'
import { Geometry } from './geometry.js'
import { largestImage, type QedHeader, readHeader } from './header.js'
import { IMAGE_SIZE_AT, SECTOR } from './layout.js'
import { closeGaps } from './resize-gaps.js'
import { TableWalk } from './table-walk.js'

/**
 * The size is one number in the header's only sector, which makes the change one step. Tables say nothing of it, and may
 * go on behind the disk's end: a power cut may leave entries there, which no check minds and no guest sees.
 *
 *   larger    1. whoever makes the disk larger opens it as such and zeroes what shows behind the old end (opensLarger):
 *                what is left of an interrupted change, and the base, which gets zero clusters over it; a commit
 *             2. the new size; barrier
 *
 *   smaller   1. the new size; barrier: a cut from now on only wastes storage, until the next change of size
 *             2. entries behind the new end become unallocated; barrier
 *             3. what they named is given back: at the end of the file cut off, else made holes
 *             4. what lies behind the holes moves into them (resize-gaps.ts), so that nothing is leaked
 */
export const resizing: Resizing = { mustFit, resize, opensLarger: true }

function mustFit(file: StorageFile, size: number): void {
  const { clusterSize, tableSize } = readHeader(file)
  const largest = largestImage(clusterSize, tableSize)
  if (size <= largest) return
  throw new ImageError(
    'INVALID',
    `${file.path}: ${size} bytes are more than the ${largest} that cluster_size ${clusterSize} and table_size ${tableSize} can map; convert the image to larger ones with "rawmount convert"`,
  )
}

function resize(file: StorageFile, size: number): void {
  const { imageSize } = readHeader(file)
  writeSize(file, size)
  if (size > imageSize) return
  const header = readHeader(file)
  dropBehind(file, header)
  check(file, 'leaks')
  closeGaps(file, header)
}

/** Durable when it returns. */
function writeSize(file: StorageFile, size: number): void {
  const field = new IoBuffer(SECTOR)
  writeU64(field.view, 0, size)
  file.write(field, 0, 8, IMAGE_SIZE_AT)
  file.sync()
}

/** No entry names anything behind the disk's end; durable. The cluster that the end cuts is zeros from there on. */
function dropBehind(file: StorageFile, header: QedHeader): void {
  const geometry = new Geometry(header)
  const { clusterSize, size, tableBytes, tableEntries } = geometry
  const clusters = Math.floor(file.size() / clusterSize)
  const end = Math.ceil(size / clusterSize)
  const l2Walk = new TableWalk(file, tableBytes)
  const dropEntries = (table: number, first: number): void =>
    l2Walk.walk(table * clusterSize, (view, at, index) => {
      if (first + index >= end) {
        view.setBigUint64(at, 0n, true)
        return true
      }
      const cluster = decodeL2Entry(view, at, geometry, clusters)
      const isLast = first + index === end - 1 && size % clusterSize !== 0
      if (isLast && cluster !== UNALLOCATED && cluster !== ZERO && cluster !== INVALID)
        file.zero(cluster * clusterSize + (size % clusterSize), clusterSize - (size % clusterSize))
      return false
    })
  new TableWalk(file, tableBytes).walk(geometry.l1Offset, (view, at, index) => {
    if (index * tableEntries >= end) {
      view.setBigUint64(at, 0n, true)
      return true
    }
    const table = decodeL1Entry(view, at, geometry, clusters)
    if ((index + 1) * tableEntries > end - 1 && table !== INVALID) dropEntries(table, index * tableEntries)
    return false
  })
  file.sync()
}
