import { isPowerOfTwo } from '../../bytes.js'
import { ImageError } from '../../errors.js'
import { IoBuffer } from '../../libc/io-buffer.js'
import type { StorageFile } from '../../storage/storage-file.js'
import type { BackingReference } from '../format.js'
import { readStoredName } from '../stored-name.js'
import { CLUSTER_LIMIT } from './entries.js'
import type { Shape } from './geometry.js'
import {
  AUTOCLEAR_FEATURES_AT,
  BACKING_FEATURES,
  BACKING_FILE,
  BACKING_FORMAT_NO_PROBE,
  BACKING_NAME_AT,
  type Bits,
  decodeHeader,
  ENTRY_LENGTH,
  FEATURES_AT,
  HEADER_LENGTH,
  MAGIC,
  NEED_CHECK,
  type RawHeader,
} from './layout.js'

export const MIN_CLUSTER_SIZE = 4096
export const MAX_CLUSTER_SIZE = 64 * 1024 * 1024
export const MAX_TABLE_SIZE = 16
/** Bytes; what QEMU takes, and far below what any path may have. */
export const MAX_BACKING_NAME = 1023

const KNOWN_FEATURES = BACKING_FILE | NEED_CHECK | BACKING_FORMAT_NO_PROBE

/** A header that was held against the format and its file: every number in it can be used. */
export interface QedHeader extends Shape {
  /** Known bits only; the upper half is zero. */
  readonly features: number
  readonly needCheck: boolean
  /** Bits that no version of the format has named; ignored, and set to zero by a writer for autoclear. */
  readonly unknownCompat: boolean
  readonly unknownAutoclear: boolean
  readonly backing: BackingReference | null
}

/** Largest virtual size that the tables can map, in bytes; above 2^53 where the format goes further than we do. */
export function largestImage(clusterSize: number, tableSize: number): number {
  const entries = (tableSize * clusterSize) / ENTRY_LENGTH
  return entries * entries * clusterSize
}

/**
 * Reads and validates the header. Throws ImageError CORRUPT or FORMAT_UNSUPPORTED, one message per field. What
 * it accepts fits the file: the header's clusters and the whole L1 table lie in it.
 */
export function readHeader(file: StorageFile): QedHeader {
  const buffer = new IoBuffer(HEADER_LENGTH)
  if (file.read(buffer, 0, HEADER_LENGTH, 0) < HEADER_LENGTH) {
    throw damaged(file, `the file ends within the ${HEADER_LENGTH} bytes of the QED header`)
  }
  const raw = decodeHeader(buffer.view)
  if (raw.magic !== MAGIC) throw damaged(file, 'the file does not start with "QED"')
  checkFeatures(file, raw.features)
  checkSizes(file, raw)
  checkL1(file, raw)
  checkImageSize(file, raw)
  return {
    clusterSize: raw.clusterSize,
    tableSize: raw.tableSize,
    headerSize: raw.headerSize,
    l1Offset: raw.l1TableOffset,
    imageSize: raw.imageSize,
    features: raw.features.low,
    needCheck: (raw.features.low & NEED_CHECK) !== 0,
    unknownCompat: isSet(raw.compatFeatures),
    unknownAutoclear: isSet(raw.autoclearFeatures),
    backing: readBacking(file, raw),
  }
}

/** Sets or clears NEED_CHECK in the file; durable after the next sync. `scratch` has room for 8 bytes. */
export function writeNeedCheck(file: StorageFile, scratch: IoBuffer, features: number, on: boolean): void {
  scratch.view.setUint32(0, on ? features | NEED_CHECK : features & ~NEED_CHECK, true)
  scratch.view.setUint32(4, 0, true)
  file.write(scratch, 0, 8, FEATURES_AT)
}

/**
 * Takes the backing file's name from the header, in one write within its first sector; durable after the next sync.
 * `scratch` has room for the header's fields.
 */
export function writeWithoutBacking(file: StorageFile, scratch: IoBuffer): void {
  file.read(scratch, 0, HEADER_LENGTH, 0)
  const features = scratch.view.getUint32(FEATURES_AT, true)
  scratch.view.setUint32(FEATURES_AT, (features & ~BACKING_FEATURES) >>> 0, true)
  scratch.view.setUint32(BACKING_NAME_AT, 0, true)
  scratch.view.setUint32(BACKING_NAME_AT + 4, 0, true)
  file.write(scratch, 0, HEADER_LENGTH, 0)
}

/** What a writer that knows none of the bits must do; durable after the next sync. */
export function clearAutoclear(file: StorageFile, scratch: IoBuffer): void {
  scratch.bytes.fill(0, 0, 8)
  file.write(scratch, 0, 8, AUTOCLEAR_FEATURES_AT)
}

function checkFeatures(file: StorageFile, features: Bits): void {
  const unknownLow = (features.low & ~KNOWN_FEATURES) >>> 0
  if (unknownLow === 0 && features.high === 0) return
  const unknown = (BigInt(features.high) << 32n) | BigInt(unknownLow)
  throw new ImageError(
    'FORMAT_UNSUPPORTED',
    `${file.path}: the image uses QED features that are unknown here (bits 0x${unknown.toString(16)}); open it with the program that made it`,
  )
}

function checkSizes(file: StorageFile, raw: RawHeader): void {
  const { clusterSize, tableSize, headerSize } = raw
  if (!isPowerOfTwo(clusterSize) || clusterSize < MIN_CLUSTER_SIZE || clusterSize > MAX_CLUSTER_SIZE) {
    throw damaged(file, `cluster_size is ${clusterSize}, not a power of two from 4096 to 67108864`)
  }
  if (!isPowerOfTwo(tableSize) || tableSize > MAX_TABLE_SIZE) {
    throw damaged(file, `table_size is ${tableSize}, not a power of two from 1 to ${MAX_TABLE_SIZE}`)
  }
  if (headerSize === 0) throw damaged(file, 'header_size is 0 clusters')
  const fileSize = file.size()
  if (headerSize * clusterSize > fileSize) {
    throw damaged(file, `header_size is ${headerSize} clusters, more than the file has (${fileSize} bytes)`)
  }
  // The markers of entries.ts take the last numbers; the new clusters of a writer must stay below them, too.
  if (fileSize / clusterSize > CLUSTER_LIMIT) {
    throw new ImageError(
      'FORMAT_UNSUPPORTED',
      `${file.path}: the file has more than 2^32 clusters of ${clusterSize} bytes; convert it to a larger cluster size`,
    )
  }
}

function checkL1(file: StorageFile, raw: RawHeader): void {
  const { l1TableOffset: offset, clusterSize } = raw
  if (!Number.isSafeInteger(offset) || offset % clusterSize !== 0) {
    throw damaged(file, `l1_table_offset is ${offset}, not a multiple of the cluster size ${clusterSize}`)
  }
  if (offset < raw.headerSize * clusterSize) {
    throw damaged(file, `l1_table_offset is ${offset}, inside the header's ${raw.headerSize} cluster(s)`)
  }
  const end = offset + raw.tableSize * clusterSize
  if (end > file.size()) {
    throw damaged(file, `the L1 table ends at ${end}, but the file at ${file.size()}: it was cut off`)
  }
}

function checkImageSize(file: StorageFile, raw: RawHeader): void {
  const size = raw.imageSize
  if (size > largestImage(raw.clusterSize, raw.tableSize)) {
    throw damaged(file, `image_size is ${size}, more than tables of this size can map`)
  }
  if (!Number.isSafeInteger(size)) {
    throw new ImageError(
      'FORMAT_UNSUPPORTED',
      `${file.path}: image_size is ${size}, and rawmount opens images of at most 2^53 bytes`,
    )
  }
  if (size % 512 !== 0) throw damaged(file, `image_size is ${size}, not a multiple of 512`)
}

function readBacking(file: StorageFile, raw: RawHeader): BackingReference | null {
  if ((raw.features.low & BACKING_FILE) === 0) return null
  const { backingNameOffset: offset, backingNameSize: size } = raw
  if (size === 0) throw damaged(file, 'the header announces a backing file, but its name is empty')
  if (size > MAX_BACKING_NAME) {
    throw damaged(file, `backing_filename_size is ${size}, more than ${MAX_BACKING_NAME} bytes`)
  }
  if (offset < HEADER_LENGTH || offset + size > raw.headerSize * raw.clusterSize) {
    throw damaged(
      file,
      `backing_filename_offset is ${offset}: the name must lie behind the header's fields and within its clusters`,
    )
  }
  const noProbe = (raw.features.low & BACKING_FORMAT_NO_PROBE) !== 0
  return { name: readStoredName(file, offset, size, damaged), format: noProbe ? 'raw' : null }
}

function damaged(file: StorageFile, what: string): ImageError {
  return new ImageError(
    'CORRUPT',
    `${file.path}: ${what}; the QED header is damaged, take a good copy of the image`,
  )
}

function isSet(bits: Bits): boolean {
  return bits.low !== 0 || bits.high !== 0
}
