import { ImageError } from '../../errors.js'
import { IoBuffer } from '../../libc/io-buffer.js'
import type { StorageFile } from '../../storage/storage-file.js'
import type { BackingReference } from '../format.js'
import type { Shape } from './geometry.js'
import { IN_CHANGE, readSwitch } from './header-switch.js'
import {
  decodeHeader,
  ENTRY_LENGTH,
  FIELD_NAMES,
  FIELDS,
  HEADER_END,
  HEADER_LENGTH,
  MAGIC,
  PAGE,
  type RawHeader,
  SECTOR,
  VERSION,
} from './layout.js'

/** Bytes of a bitmap or table that is kept in memory; more is refused. Untouched parts take none. */
export const AREA_LIMIT = 2 ** 30

/** A header that was held against the format and its file: every number that the driver uses can be used. */
export interface FvdHeader {
  readonly raw: RawHeader
  readonly shape: Shape
  /** The base that reads fall through to; null when there is none, or none is needed any more. */
  readonly base: BackingReference | null
  /** The file that has the data instead of the image file; null without one. */
  readonly dataFile: BackingReference | null
  readonly cleanShutdown: boolean
}

/** Throws ImageError CORRUPT or FORMAT_UNSUPPORTED, one message per field. */
export function readHeader(file: StorageFile): FvdHeader {
  const raw = readRawHeader(file)
  for (const name of FIELD_NAMES) checkField(file, name, raw[name])
  const { virtual_disk_size: size, metadata_size: metadataSize } = raw
  if (size % SECTOR !== 0) throw damaged(file, `virtual_disk_size is ${size}, not a multiple of 512`)
  if (metadataSize < HEADER_END) {
    throw damaged(file, `metadata_size is ${metadataSize}, less than the header's ${HEADER_END} bytes`)
  }
  const base = raw.all_data_in_fvd_img === 0 ? readBase(file, raw) : null
  if (raw.compact_image === 1) checkCompact(file, raw)
  const hasBitmap = base !== null && raw.base_img_size > 0
  const hasMetadata = hasBitmap || raw.compact_image === 1
  checkAreas(file, raw, hasBitmap, hasMetadata)
  const dataFile = reference(raw.data_file, raw.data_file_fmt)
  return {
    raw,
    base,
    dataFile,
    cleanShutdown: raw.clean_shutdown === 1,
    shape: {
      size,
      baseSize: hasBitmap ? raw.base_img_size : 0,
      bitmapOffset: raw.bitmap_offset,
      blockSize: hasBitmap ? raw.block_size : 0,
      compact: raw.compact_image === 1,
      tableOffset: raw.table_offset,
      chunkSize: raw.compact_image === 1 ? raw.chunk_size : 0,
      growUnit: raw.storage_grow_unit,
      journalOffset: raw.journal_offset,
      journalSize: hasMetadata ? raw.journal_size : 0,
      dataOffset: dataFile === null ? Math.floor(metadataSize / SECTOR) * SECTOR : 0,
    },
  }
}

/** The fields as they stand in the file, of an image of this version. Throws as readHeader() does. */
export function readRawHeader(file: StorageFile): RawHeader {
  const buffer = new IoBuffer(HEADER_LENGTH)
  if (file.read(buffer, 0, HEADER_LENGTH, 0) < HEADER_LENGTH) {
    throw damaged(file, `the file ends within the ${HEADER_LENGTH} bytes of the FVD header`)
  }
  const raw = decodeHeader(buffer.view)
  if (raw.magic !== MAGIC) throw damaged(file, 'the file does not start with the magic of FVD')
  if (raw.version === IN_CHANGE) return readSwitch(file)
  if (raw.version !== VERSION) {
    throw new ImageError(
      'FORMAT_UNSUPPORTED',
      `${file.path}: has FVD layout version ${raw.version}, and only version ${VERSION} is known here; open it with the program that made it`,
    )
  }
  return raw
}

/** Says in the file whether bitmap and table are as they stand there; durable after the next sync. */
export function writeCleanShutdown(file: StorageFile, scratch: IoBuffer, clean: boolean): void {
  scratch.view.setUint32(0, clean ? 1 : 0, true)
  file.write(scratch, 0, 4, FIELDS.clean_shutdown.at)
}

/** Says in the file that no block is in the base any more; durable after the next sync. */
export function writeAllData(file: StorageFile, scratch: IoBuffer): void {
  scratch.view.setUint32(0, 1, true)
  file.write(scratch, 0, 4, FIELDS.all_data_in_fvd_img.at)
}

/** What is wrong with a field by itself; null when nothing is. */
export function fieldFault(name: keyof RawHeader, value: number | string): string | null {
  const { kind } = FIELDS[name]
  if (kind === 'flag' && value !== 0 && value !== 1) return `${name} is ${value}, and can be 0 or 1`
  if (kind === 'u64' && !Number.isSafeInteger(value)) return `${name} is ${value}, more than 2^53`
  if (kind === 'text' && (value as string).includes('\ufffd')) return `${name} is not UTF-8`
  return null
}

function checkField(file: StorageFile, name: keyof RawHeader, value: number | string): void {
  const fault = fieldFault(name, value)
  if (fault !== null) throw damaged(file, fault)
}

function readBase(file: StorageFile, raw: RawHeader): BackingReference {
  const { base_img_size: baseSize, block_size: blockSize } = raw
  const base = reference(raw.base_img, raw.base_img_fmt)
  if (base === null) {
    throw damaged(file, 'all_data_in_fvd_img is 0, so there must be a base image, but base_img is empty')
  }
  if (baseSize % SECTOR !== 0 || baseSize > raw.virtual_disk_size) {
    throw damaged(
      file,
      `base_img_size is ${baseSize}, not a multiple of 512 up to the disk's ${raw.virtual_disk_size}`,
    )
  }
  if (blockSize === 0 || blockSize % SECTOR !== 0) {
    throw damaged(file, `block_size is ${blockSize}, not a multiple of 512`)
  }
  return base
}

function checkCompact(file: StorageFile, raw: RawHeader): void {
  const { chunk_size: chunkSize, storage_grow_unit: growUnit } = raw
  if (chunkSize === 0 || chunkSize % PAGE !== 0) {
    throw damaged(file, `chunk_size is ${chunkSize}, not a multiple of ${PAGE}`)
  }
  if (growUnit < chunkSize) {
    throw damaged(file, `storage_grow_unit is ${growUnit}, less than the chunk_size of ${chunkSize}`)
  }
}

interface Area {
  readonly name: string
  readonly offset: number
  readonly size: number
  /** Bytes that must lie in it. */
  readonly needed: number
}

/** The areas in use are large enough, lie in the file behind the header, and do not overlap. */
function checkAreas(file: StorageFile, raw: RawHeader, hasBitmap: boolean, hasMetadata: boolean): void {
  const areas: Area[] = [{ name: 'header', offset: 0, size: HEADER_END, needed: HEADER_END }]
  if (hasBitmap) {
    const needed = Math.ceil(Math.ceil(raw.base_img_size / raw.block_size) / 8)
    areas.push({ name: 'bitmap', offset: raw.bitmap_offset, size: raw.bitmap_size, needed })
  }
  if (raw.compact_image === 1) {
    const needed = Math.ceil(raw.virtual_disk_size / raw.chunk_size) * ENTRY_LENGTH
    areas.push({ name: 'table', offset: raw.table_offset, size: needed, needed })
  }
  if (hasMetadata && raw.journal_size > 0) {
    const { journal_offset: offset, journal_size: size } = raw
    areas.push({ name: 'journal', offset, size, needed: SECTOR })
  }
  const fileSize = file.size()
  for (const area of areas.slice(1)) checkArea(file, area, raw.metadata_size, fileSize)
  areas.sort((a, b) => a.offset - b.offset)
  for (const [index, area] of areas.entries()) {
    const previous = areas[index - 1]
    if (previous === undefined || previous.offset + previous.size <= area.offset) continue
    throw damaged(
      file,
      `the ${area.name} at ${area.offset} overlaps the ${previous.name}, which ends at ${previous.offset + previous.size}`,
    )
  }
}

function checkArea(file: StorageFile, area: Area, metadataSize: number, fileSize: number): void {
  const { name, offset, size, needed } = area
  const end = offset + size
  if (offset % SECTOR !== 0) throw damaged(file, `${name}_offset is ${offset}, not a multiple of 512`)
  if (size < needed)
    throw damaged(file, `${name}_size is ${size}, less than the ${needed} bytes that are needed`)
  if (end > metadataSize) {
    throw damaged(file, `the ${name} ends at ${end}, behind the metadata_size of ${metadataSize}`)
  }
  if (end > fileSize)
    throw damaged(file, `the ${name} ends at ${end}, but the file at ${fileSize}: it was cut off`)
  if (name !== 'journal' && needed > AREA_LIMIT) {
    throw new ImageError(
      'FORMAT_UNSUPPORTED',
      `${file.path}: the ${name} takes ${needed} bytes, and rawmount keeps at most ${AREA_LIMIT} in memory; use a larger ${name === 'table' ? 'chunk_size' : 'block_size'}`,
    )
  }
}

function reference(name: string, format: string): BackingReference | null {
  return name === '' ? null : { name, format: format === '' ? null : format }
}

function damaged(file: StorageFile, what: string): ImageError {
  return new ImageError(
    'CORRUPT',
    `${file.path}: ${what}; the FVD header is damaged, take a good copy of the image`,
  )
}
