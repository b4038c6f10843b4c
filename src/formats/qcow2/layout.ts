import { readU64BigEndian } from '../../bytes.js'

/**
 * The qcow2 header as it lies in the file: big-endian, at offset 0. No judgement here; header.ts holds the values
 * against the format and the file. Fields that reading does not need (refcounts, snapshots) are left out.
 *
 * @see https://www.qemu.org/docs/master/interop/qcow2.html (section Header)
 */
export interface RawHeader {
  readonly magic: number
  readonly version: number
  readonly backingNameOffset: number
  readonly backingNameSize: number
  readonly clusterBits: number
  /** Bytes. */
  readonly size: number
  readonly cryptMethod: number
  /** Entries. */
  readonly l1Size: number
  readonly l1Offset: number
  /** Bit fields are kept as two 32-bit halves: a number is not exact above 2^53. */
  readonly incompatible: Bits
  readonly compatible: Bits
  readonly refcountOrder: number
  readonly headerLength: number
  readonly compressionType: number
}

export interface Bits {
  readonly low: number
  readonly high: number
}

/** "QFI\xfb", read as a big-endian number. */
export const MAGIC = 0x514649fb

export const HEADER_LENGTH_V2 = 72
/** The least that version 3 has; `compression_type` lies behind it. */
export const HEADER_LENGTH_V3 = 104
/** All fields that are known here. */
export const HEADER_LENGTH = 112

/** crypt_method */
export const Crypt = { none: 0, aes: 1, luks: 2 } as const

/** incompatible_features, all in the lower half. */
export const Incompatible = {
  dirty: 0x01,
  corrupt: 0x02,
  externalData: 0x04,
  compressionType: 0x08,
  extendedL2: 0x10,
} as const

/** compatible_features: refcounts may be stale in an image that is dirty. */
export const LAZY_REFCOUNTS = 0x01

/** Header extensions: u32 type, u32 length, data, padded to 8 bytes. Others carry nothing that reading needs. */
export const Extension = {
  end: 0,
  backingFormat: 0xe2792aca,
  featureNames: 0x6803f857,
  dataFileName: 0x44415441,
} as const

/** An entry of the feature name table: u8 kind (0 = incompatible), u8 bit, 46 bytes of name padded with NUL. */
export const FEATURE_NAME_LENGTH = 48

/** An L1 or L2 table is an array of these. */
export const ENTRY_LENGTH = 8
/** The unit of a compressed cluster's length. */
export const SECTOR = 512

/** `view` has HEADER_LENGTH bytes, zeros where the file ended. */
export function decodeHeader(view: DataView): RawHeader {
  const version = view.getUint32(4)
  const extended = version >= 3
  const headerLength = extended ? view.getUint32(100) : HEADER_LENGTH_V2
  return {
    magic: view.getUint32(0),
    version,
    backingNameOffset: readU64BigEndian(view, 8),
    backingNameSize: view.getUint32(16),
    clusterBits: view.getUint32(20),
    size: readU64BigEndian(view, 24),
    cryptMethod: view.getUint32(32),
    l1Size: view.getUint32(36),
    l1Offset: readU64BigEndian(view, 40),
    incompatible: extended ? decodeBits(view, 72) : NO_BITS,
    compatible: extended ? decodeBits(view, 80) : NO_BITS,
    refcountOrder: extended ? view.getUint32(96) : 4,
    headerLength,
    compressionType: headerLength > HEADER_LENGTH_V3 ? view.getUint8(104) : 0,
  }
}

const NO_BITS: Bits = { low: 0, high: 0 }

function decodeBits(view: DataView, at: number): Bits {
  return { high: view.getUint32(at), low: view.getUint32(at + 4) }
}
