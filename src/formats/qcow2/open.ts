import { ImageError } from '../../errors.js'
import { IoBuffer } from '../../libc/io-buffer.js'
import type { StorageFile } from '../../storage/storage-file.js'
import type { FormatDriver } from '../driver.js'
import type { ImageFacts, OpenedImage, OpenOptions } from '../format.js'
import { damaged } from './complaints.js'
import { type Qcow2Description, Qcow2Driver } from './driver.js'
import { decodeL1Entry } from './entries.js'
import { Geometry } from './geometry.js'
import { type Qcow2Header, readHeader } from './header.js'
import { ENTRY_LENGTH } from './layout.js'

/** Bytes of L2 tables that each thread keeps at most: tables of 16 GiB of disk with clusters of 64 KiB. */
const MAX_CACHE = 2 * 1024 * 1024

/** @see Format.open */
export function open(
  file: StorageFile,
  options: Pick<OpenOptions, 'writable' | 'metadataCache'>,
): OpenedImage {
  if (options.writable) {
    throw new ImageError(
      'READ_ONLY',
      `${file.path}: qcow2 images are opened read-only; mount with -r, or put an image over it: rawmount create -f qed -b ${file.path} NEW`,
    )
  }
  const header = readHeader(file)
  const description: Qcow2Description = {
    shape: shapeOf(header),
    l1: readL1(file, new Geometry(header)),
    cacheBytes: Math.min(MAX_CACHE, options.metadataCache),
  }
  return {
    driver: new Qcow2Driver(description, file),
    backing: header.backing,
    describe: () => description,
    info: describeHeader(header),
    warnings: header.corrupt
      ? [
          `${file.path}: the image is marked as corrupt: reads may fail; repair it with "qemu-img check -r all"`,
        ]
      : [],
  }
}

/** @see Format.attach */
export function attach(description: unknown, file: StorageFile): FormatDriver {
  return new Qcow2Driver(description as Qcow2Description, file)
}

function shapeOf({ version, clusterBits, size, l1Offset, l1Size, fileSize }: Qcow2Header) {
  return { version, clusterBits, size, l1Offset, l1Size, fileSize }
}

/** Bytes of the L1 table that are read at a time. */
const PIECE = 64 * 1024

/** The entries that the disk's size needs: readHeader() saw that they lie in the file, and are at most 2^22. */
function readL1(file: StorageFile, geometry: Geometry): SharedArrayBuffer {
  const { l1Entries, l1First, clusterSize } = geometry
  const bytes = l1Entries * ENTRY_LENGTH
  const memory = new SharedArrayBuffer(l1Entries * Float64Array.BYTES_PER_ELEMENT)
  const l1 = new Float64Array(memory)
  const buffer = new IoBuffer(PIECE)
  for (let at = 0; at < bytes; at += PIECE) {
    const length = Math.min(PIECE, bytes - at)
    if (file.read(buffer, 0, length, l1First * clusterSize + at) < length)
      throw damaged(file, 'the file ends within the L1 table')
    for (let i = 0; i < length; i += ENTRY_LENGTH)
      l1[(at + i) / ENTRY_LENGTH] = decodeL1Entry(buffer.view, i, geometry)
  }
  return memory
}

/** Under the keys that qemu-img uses. */
function describeHeader(header: Qcow2Header): ImageFacts {
  const { version, refcountBits, lazyRefcounts, corrupt } = header
  return {
    clusterSize: 2 ** header.clusterBits,
    dirty: header.dirty,
    specific:
      version === 2
        ? { compat: '0.10', 'compression-type': 'zlib', 'refcount-bits': refcountBits }
        : {
            compat: '1.1',
            'compression-type': 'zlib',
            'lazy-refcounts': lazyRefcounts,
            'refcount-bits': refcountBits,
            corrupt,
            'extended-l2': false,
          },
  }
}
