import { roundDown } from '../../bytes.js'
import { ImageError } from '../../errors.js'
import { IoBuffer } from '../../libc/io-buffer.js'
import type { StorageFile } from '../../storage/storage-file.js'
import type { BaseContents, CreateOptions } from '../format.js'
import { setBits } from './bits.js'
import { encodeHeader, HEADER_AREA, type RawHeader } from './layout.js'
import { LAYOUT_OPTIONS, planImage } from './plan.js'
import { SETTING_NAMES, SETTINGS } from './settings.js'
import { usedPieces } from './used-pieces.js'

/** The -o options of create: those that lay out the file, and the fields that update() changes later, too. */
export const CREATE_OPTIONS: Readonly<Record<string, string>> = {
  ...LAYOUT_OPTIONS,
  ...Object.fromEntries(
    SETTING_NAMES.map(name => {
      const { meaning, initial } = SETTINGS[name]
      return [name, initial === '' ? meaning : `${meaning} (default ${initial})`]
    }),
  ),
}

/** What the table is written with at a time. */
const PIECE = 1 << 20

/**
 * Bitmap, table and data file first, then the header: what a creation that was cut off leaves is no image.
 *
 * @see Format.create
 */
export function create(file: StorageFile, options: CreateOptions): void {
  const { header, leastHole } = planImage(file.path, options)
  const data = openDataFile(file.path, header, options)
  file.truncate(0)
  file.truncate(header.metadata_size)
  writeTable(file, header)
  if (leastHole > 0) writeBitmap(file, header, findHoles(header, options.base!, leastHole))
  if (data !== null) {
    // Storage of a compact image is made zero when it is handed out.
    const old = header.compact_image === 0 ? Math.min(header.virtual_disk_size, data.size()) : 0
    if (old > 0) data.zero(0, old)
    data.sync()
  }
  file.sync()
  const area = new IoBuffer(HEADER_AREA)
  encodeHeader(area.view, header)
  file.write(area, 0, area.length, 0)
  file.sync()
}

function openDataFile(path: string, header: RawHeader, { companion }: CreateOptions): StorageFile | null {
  if (header.data_file === '') return null
  const data = companion({ name: header.data_file, format: header.data_file_fmt })
  const size = data.size()
  // An empty file grows; what has a size may be a device or an image, which cannot.
  const needed = header.compact_image === 1 ? header.chunk_size : header.virtual_disk_size
  if (size > 0 && size < needed) {
    throw new ImageError(
      'INVALID',
      `${path}: the data file ${data.path} has ${size} bytes, less than the ${needed} that are needed; take a larger one`,
    )
  }
  return data
}

/** All 0xFF, the padding too: no chunk has storage. */
function writeTable(file: StorageFile, header: RawHeader): void {
  if (header.compact_image === 0) return
  const { table_offset: start, journal_offset: journal, prefetch_profile_offset: profile } = header
  const end = journal || profile || header.metadata_size
  const buffer = new IoBuffer(Math.min(PIECE, end - start))
  buffer.bytes.fill(0xff)
  for (let at = start; at < end; at += PIECE) file.write(buffer, 0, Math.min(PIECE, end - at), at)
}

/** Blocks of the base that are known to be zeros as a whole: they are in the image, without storage. */
function findHoles(header: RawHeader, base: BaseContents, leastHole: number): Int32Array {
  const { base_img_size: baseSize, block_size: blockSize } = header
  const bitmap = new Int32Array(header.bitmap_size / Int32Array.BYTES_PER_ELEMENT)
  for (let at = 0; at < baseSize; ) {
    const end = base.zerosUntil(at)
    if (end <= at) {
      at = base.dataUntil(at)
      continue
    }
    if (end - at >= leastHole) {
      const stop = end >= baseSize ? Math.ceil(baseSize / blockSize) : roundDown(end, blockSize) / blockSize
      const first = Math.ceil(at / blockSize)
      if (stop > first) setBits(bitmap, first, stop)
    }
    at = end
  }
  return bitmap
}

function writeBitmap(file: StorageFile, header: RawHeader, bitmap: Int32Array): void {
  const buffer = new IoBuffer(bitmap.buffer as ArrayBuffer)
  for (const { start, end } of usedPieces(bitmap)) {
    const at = start * Int32Array.BYTES_PER_ELEMENT
    file.write(buffer, at, (end - start) * Int32Array.BYTES_PER_ELEMENT, header.bitmap_offset + at)
  }
}
