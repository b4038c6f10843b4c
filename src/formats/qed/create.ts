import { isPowerOfTwo } from '../../bytes.js'
import { ImageError } from '../../errors.js'
import { IoBuffer } from '../../libc/io-buffer.js'
import { parseSize } from '../../sizes.js'
import type { StorageFile } from '../../storage/storage-file.js'
import type { CreateOptions } from '../format.js'
import {
  largestImage,
  MAX_BACKING_NAME,
  MAX_CLUSTER_SIZE,
  MAX_TABLE_SIZE,
  MIN_CLUSTER_SIZE,
} from './header.js'
import {
  BACKING_FILE,
  BACKING_FORMAT_NO_PROBE,
  encodeHeader,
  HEADER_LENGTH,
  MAGIC,
  SECTOR,
} from './layout.js'

export const CREATE_OPTIONS = {
  cluster_size: 'bytes of a cluster, a power of two from 4K to 64M (default 64K; QEMU opens up to 1M)',
  table_size:
    'clusters of an L1 or L2 table, a power of two from 1 to 16 (default 4; QEMU does not open images with 1)',
} as const

const DEFAULT_CLUSTER_SIZE = 64 * 1024
const DEFAULT_TABLE_SIZE = 4

/** For messages. */
type Named = Pick<StorageFile, 'path'>

type QedCreateOptions = Pick<CreateOptions, 'size' | 'backing' | 'options'>

/** @see Format.create */
export function create(file: StorageFile, options: QedCreateOptions): void {
  const { clusterSize, tableSize } = planImage(file, options)
  const name = backingName(options)

  // Header and L1 table, all zeros but for the header's fields: one cluster, then the table.
  const header = new IoBuffer(roundToSector(HEADER_LENGTH + name.length))
  encodeHeader(header.view, {
    magic: MAGIC,
    clusterSize,
    tableSize,
    headerSize: 1,
    features: { low: featuresFor(options), high: 0 },
    compatFeatures: { low: 0, high: 0 },
    autoclearFeatures: { low: 0, high: 0 },
    l1TableOffset: clusterSize,
    imageSize: options.size,
    backingNameOffset: name.length > 0 ? HEADER_LENGTH : 0,
    backingNameSize: name.length,
  })
  header.bytes.set(name, HEADER_LENGTH)
  file.truncate(0)
  file.truncate((1 + tableSize) * clusterSize)
  file.write(header, 0, header.length, 0)
  file.sync()
}

/** Throws ImageError INVALID for options that cannot work. */
export function planImage(
  file: Named,
  options: QedCreateOptions,
): { clusterSize: number; tableSize: number } {
  for (const name of options.options.keys()) {
    if (!Object.hasOwn(CREATE_OPTIONS, name)) {
      throw invalid(file, `qed has no option "${name}", only ${Object.keys(CREATE_OPTIONS).join(', ')}`)
    }
  }
  const clusterSize = sizeOption(file, options, 'cluster_size', DEFAULT_CLUSTER_SIZE)
  if (!isPowerOfTwo(clusterSize) || clusterSize < MIN_CLUSTER_SIZE || clusterSize > MAX_CLUSTER_SIZE) {
    throw invalid(file, `cluster_size ${clusterSize} is not a power of two from 4K to 64M`)
  }
  const tableSize = sizeOption(file, options, 'table_size', DEFAULT_TABLE_SIZE)
  if (!isPowerOfTwo(tableSize) || tableSize > MAX_TABLE_SIZE) {
    throw invalid(file, `table_size ${tableSize} is not a power of two from 1 to 16`)
  }
  checkSize(file, options.size, clusterSize, tableSize)
  if (options.backing !== null) checkBackingName(file, backingName(options))
  return { clusterSize, tableSize }
}

function backingName({ backing }: QedCreateOptions): Uint8Array {
  return new TextEncoder().encode(backing?.name ?? '')
}

function featuresFor(options: QedCreateOptions): number {
  if (options.backing === null) return 0
  return options.backing.format === 'raw' ? BACKING_FILE | BACKING_FORMAT_NO_PROBE : BACKING_FILE
}

function sizeOption(file: Named, options: QedCreateOptions, name: string, otherwise: number): number {
  const text = options.options.get(name)
  if (text === undefined) return otherwise
  try {
    return parseSize(text)
  } catch (cause) {
    throw new ImageError('INVALID', `${file.path}: ${name}: ${(cause as Error).message}`, { cause })
  }
}

function checkSize(file: Named, size: number, clusterSize: number, tableSize: number): void {
  if (!Number.isSafeInteger(size) || size < 0) throw invalid(file, `the size ${size} is impossible`)
  if (size % SECTOR !== 0) {
    throw invalid(
      file,
      `the size ${size} is not a multiple of 512; take ${Math.ceil(size / SECTOR) * SECTOR}`,
    )
  }
  const largest = largestImage(clusterSize, tableSize)
  if (size > largest) {
    throw invalid(
      file,
      `the size ${size} is more than the ${largest} bytes that cluster_size ${clusterSize} and table_size ${tableSize} can map; take larger ones`,
    )
  }
}

/** Throws ImageError INVALID for a name that the header cannot take. */
export function checkBackingName(file: Named, name: Uint8Array): void {
  if (name.length === 0) throw invalid(file, 'the backing file name is empty')
  if (name.includes(0)) throw invalid(file, 'the backing file name contains a NUL byte')
  if (name.length > MAX_BACKING_NAME) {
    throw invalid(
      file,
      `the backing file name has ${name.length} bytes, more than ${MAX_BACKING_NAME}; take a shorter path`,
    )
  }
}

function invalid(file: Named, what: string): ImageError {
  return new ImageError('INVALID', `${file.path}: ${what}`)
}

function roundToSector(length: number): number {
  return Math.ceil(length / SECTOR) * SECTOR
}
