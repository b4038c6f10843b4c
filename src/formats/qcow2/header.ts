import { ImageError } from '../../errors.js'
import { IoBuffer } from '../../libc/io-buffer.js'
import type { StorageFile } from '../../storage/storage-file.js'
import type { BackingReference, NamedFiles } from '../format.js'
import { readBacking, readDataFileName } from './backing.js'
import { damaged, unsupported } from './complaints.js'
import { type ExtensionArea, featureName } from './extensions.js'
import { type Shape, tableSpan } from './geometry.js'
import {
  type Bits,
  Crypt,
  decodeHeader,
  ENTRY_LENGTH,
  HEADER_LENGTH,
  HEADER_LENGTH_V2,
  HEADER_LENGTH_V3,
  Incompatible,
  LAZY_REFCOUNTS,
  MAGIC,
  type RawHeader,
} from './layout.js'

export const MIN_CLUSTER_BITS = 9
export const MAX_CLUSTER_BITS = 21
/** Bytes; what QEMU takes. It is in memory as a whole. */
export const MAX_L1_BYTES = 32 * 1024 * 1024
const MAX_REFCOUNT_ORDER = 6

/** A header that was held against the format and its file: every number in it can be used. */
export interface Qcow2Header extends Shape {
  readonly refcountBits: number
  readonly dirty: boolean
  readonly corrupt: boolean
  readonly lazyRefcounts: boolean
  readonly backing: BackingReference | null
}

/**
 * Reads and validates the header. Throws ImageError CORRUPT or FORMAT_UNSUPPORTED, one message per field. What it
 * accepts can be read by this driver, and the whole L1 table lies in the file.
 */
export function readHeader(file: StorageFile): Qcow2Header {
  const raw = readRawHeader(file)
  checkFeatures(file, raw)
  checkSizes(file, raw)
  return {
    version: raw.version,
    clusterBits: raw.clusterBits,
    size: raw.size,
    l1Offset: raw.l1Offset,
    l1Size: raw.l1Size,
    fileSize: file.size(),
    refcountBits: 2 ** raw.refcountOrder,
    dirty: has(raw.incompatible, Incompatible.dirty),
    corrupt: has(raw.incompatible, Incompatible.corrupt),
    lazyRefcounts: has(raw.compatible, LAZY_REFCOUNTS),
    backing: readBacking(file, raw, extensionArea(raw)),
  }
}

/** @see Format.names */
export function readNames(file: StorageFile): NamedFiles {
  const raw = readRawHeader(file)
  const area = extensionArea(raw)
  const data = has(raw.incompatible, Incompatible.externalData) ? readDataFileName(file, area) : null
  return { backing: readBacking(file, raw, area)?.name ?? null, data }
}

/** Of which the lengths are known to be right. */
function readRawHeader(file: StorageFile): RawHeader {
  const buffer = new IoBuffer(HEADER_LENGTH)
  const got = file.read(buffer, 0, HEADER_LENGTH, 0)
  const raw = decodeHeader(buffer.view)
  if (got < HEADER_LENGTH_V2)
    throw damaged(file, `the file ends within the ${HEADER_LENGTH_V2} bytes of the header`)
  if (raw.magic !== MAGIC) throw damaged(file, 'the file does not start with "QFI\\xfb"')
  checkLengths(file, raw, got)
  return raw
}

/** Version, cluster and header length: what the rest is measured by. */
function checkLengths(file: StorageFile, raw: RawHeader, got: number): void {
  const { version, clusterBits, headerLength } = raw
  if (version !== 2 && version !== 3) {
    throw unsupported(file, `is qcow version ${version}, and 2 and 3 are read here`, 'qemu-img convert')
  }
  if (clusterBits < MIN_CLUSTER_BITS || clusterBits > MAX_CLUSTER_BITS) {
    throw damaged(file, `cluster_bits is ${clusterBits}, not ${MIN_CLUSTER_BITS} to ${MAX_CLUSTER_BITS}`)
  }
  if (version === 2) return
  if (got < HEADER_LENGTH_V3)
    throw damaged(file, `the file ends within the ${HEADER_LENGTH_V3} bytes of the header`)
  if (headerLength < HEADER_LENGTH_V3 || headerLength % 8 !== 0 || headerLength > 2 ** clusterBits) {
    throw damaged(
      file,
      `header_length is ${headerLength}, not a multiple of 8 from ${HEADER_LENGTH_V3} to the cluster size ${2 ** clusterBits}`,
    )
  }
  if (got < Math.min(headerLength, HEADER_LENGTH))
    throw damaged(file, `the file ends within the ${headerLength} bytes of the header`)
}

/** Extensions end where the backing file name begins, when it lies behind them. */
function extensionArea({ headerLength, clusterBits, backingNameOffset }: RawHeader): ExtensionArea {
  const cluster = 2 ** clusterBits
  const isBehind = backingNameOffset >= headerLength && backingNameOffset < cluster
  return { start: headerLength, end: isBehind ? backingNameOffset : cluster }
}

/** Before anything else is believed: such a feature may change the meaning of every field. */
function checkFeatures(file: StorageFile, raw: RawHeader): void {
  const { incompatible, cryptMethod, compressionType } = raw
  const unknown = lowestUnknown(incompatible)
  if (unknown >= 0) {
    const name = featureName(file, extensionArea(raw), unknown)
    const what = name === null ? `bit ${unknown}` : `bit ${unknown}, "${name}"`
    throw unsupported(
      file,
      `uses an incompatible feature that is unknown here (${what})`,
      'the program that made it',
    )
  }
  if (cryptMethod === Crypt.aes || cryptMethod === Crypt.luks) {
    const method = cryptMethod === Crypt.aes ? 'AES' : 'LUKS'
    throw unsupported(
      file,
      `is encrypted (${method})`,
      'qemu-img convert, giving the secret with --object secret and naming it in --image-opts',
    )
  }
  if (cryptMethod !== Crypt.none) throw damaged(file, `crypt_method is ${cryptMethod}, which is none`)
  if (has(incompatible, Incompatible.externalData))
    throw unsupported(file, 'has its data in an external data file', 'qemu-img convert -O qcow2')
  if (compressionType > 1)
    throw unsupported(
      file,
      `uses compression type ${compressionType}, which is unknown here`,
      'the program that made it',
    )
  if (compressionType === 1 || has(incompatible, Incompatible.compressionType)) {
    throw unsupported(
      file,
      'uses zstd compression, and zlib is read here',
      'qemu-img convert -O qcow2 -o compression_type=zlib',
    )
  }
  if (has(incompatible, Incompatible.extendedL2)) {
    throw unsupported(
      file,
      'uses extended L2 entries (subclusters)',
      'qemu-img convert -O qcow2 -o extended_l2=off',
    )
  }
}

function checkSizes(file: StorageFile, raw: RawHeader): void {
  const { size, l1Size, l1Offset, clusterBits, refcountOrder } = raw
  const clusterSize = 2 ** clusterBits
  if (!Number.isSafeInteger(size)) {
    throw new ImageError(
      'FORMAT_UNSUPPORTED',
      `${file.path}: size is ${size}, and rawmount opens images of at most 2^53 bytes`,
    )
  }
  if (size % 512 !== 0) throw damaged(file, `size is ${size}, not a multiple of 512`)
  if (refcountOrder > MAX_REFCOUNT_ORDER) {
    throw damaged(file, `refcount_order is ${refcountOrder}, more than ${MAX_REFCOUNT_ORDER}`)
  }
  const needed = Math.ceil(size / tableSpan(clusterSize))
  if (l1Size * ENTRY_LENGTH > MAX_L1_BYTES) {
    throw damaged(file, `l1_size is ${l1Size} entries, more than ${MAX_L1_BYTES / ENTRY_LENGTH}`)
  }
  if (l1Size < needed) {
    throw damaged(file, `l1_size is ${l1Size} entries, but a disk of ${size} bytes needs ${needed}`)
  }
  if (!Number.isSafeInteger(l1Offset) || l1Offset % clusterSize !== 0) {
    throw damaged(file, `l1_table_offset is ${l1Offset}, not a multiple of the cluster size ${clusterSize}`)
  }
  if (l1Size > 0 && l1Offset === 0) throw damaged(file, 'l1_table_offset is 0, where the header lies')
  const end = l1Offset + l1Size * ENTRY_LENGTH
  if (l1Size > 0 && end > file.size()) {
    throw damaged(file, `the L1 table ends at ${end}, but the file at ${file.size()}: it was cut off`)
  }
}

const KNOWN = Object.values(Incompatible).reduce((all, bit) => all | bit, 0)

/** The number of the lowest bit that has no meaning here; -1 when all have. */
function lowestUnknown({ low, high }: Bits): number {
  const unknown = low & ~KNOWN
  if (unknown !== 0) return lowestBit(unknown)
  return high === 0 ? -1 : 32 + lowestBit(high)
}

function lowestBit(word: number): number {
  return 31 - Math.clz32(word & -word)
}

function has({ low }: Bits, bit: number): boolean {
  return (low & bit) !== 0
}
