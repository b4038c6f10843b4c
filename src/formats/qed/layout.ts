import { readU64, writeU64 } from '../../bytes.js'

/**
 * The QED header as it lies in the file: little-endian, 64 bytes, at offset 0. No judgement here; header.ts
 * holds the values against the format and the file.
 *
 * @see https://www.qemu.org/docs/master/interop/qed_spec.html (section Header)
 */
export interface RawHeader {
  magic: number
  clusterSize: number
  tableSize: number
  headerSize: number
  /** Bit fields are kept as two 32-bit halves: a number is not exact above 2^53. */
  features: Bits
  compatFeatures: Bits
  autoclearFeatures: Bits
  l1TableOffset: number
  imageSize: number
  backingNameOffset: number
  backingNameSize: number
}

export interface Bits {
  low: number
  high: number
}

export const HEADER_LENGTH = 64

/** "QED\0", read as a little-endian number. */
export const MAGIC = 0x00444551

export const FEATURES_AT = 16
export const AUTOCLEAR_FEATURES_AT = 32
export const IMAGE_SIZE_AT = 48
/** Offset and length of the backing file's name. */
export const BACKING_NAME_AT = 56

/** features: the image uses a backing file. */
export const BACKING_FILE = 0x01
/** features: the image was not closed cleanly. */
export const NEED_CHECK = 0x02
/** features: the backing file is raw, whatever its first bytes look like. */
export const BACKING_FORMAT_NO_PROBE = 0x04
/** What an image without a backing file does not have. */
export const BACKING_FEATURES = BACKING_FILE | BACKING_FORMAT_NO_PROBE

/** An L1 or L2 table is an array of these. */
export const ENTRY_LENGTH = 8
/** The unit in which a disk loses or keeps a write, and in which changed tables are written. */
export const SECTOR = 512
export const ENTRIES_PER_SECTOR = SECTOR / ENTRY_LENGTH

export function decodeHeader(view: DataView): RawHeader {
  return {
    magic: view.getUint32(0, true),
    clusterSize: view.getUint32(4, true),
    tableSize: view.getUint32(8, true),
    headerSize: view.getUint32(12, true),
    features: decodeBits(view, FEATURES_AT),
    compatFeatures: decodeBits(view, 24),
    autoclearFeatures: decodeBits(view, AUTOCLEAR_FEATURES_AT),
    l1TableOffset: readU64(view, 40),
    imageSize: readU64(view, 48),
    backingNameOffset: view.getUint32(56, true),
    backingNameSize: view.getUint32(60, true),
  }
}

export function encodeHeader(view: DataView, header: RawHeader): void {
  view.setUint32(0, header.magic, true)
  view.setUint32(4, header.clusterSize, true)
  view.setUint32(8, header.tableSize, true)
  view.setUint32(12, header.headerSize, true)
  encodeBits(view, FEATURES_AT, header.features)
  encodeBits(view, 24, header.compatFeatures)
  encodeBits(view, AUTOCLEAR_FEATURES_AT, header.autoclearFeatures)
  writeU64(view, 40, header.l1TableOffset)
  writeU64(view, 48, header.imageSize)
  view.setUint32(56, header.backingNameOffset, true)
  view.setUint32(60, header.backingNameSize, true)
}

function decodeBits(view: DataView, at: number): Bits {
  return { low: view.getUint32(at, true), high: view.getUint32(at + 4, true) }
}

function encodeBits(view: DataView, at: number, bits: Bits): void {
  view.setUint32(at, bits.low, true)
  view.setUint32(at + 4, bits.high, true)
}
