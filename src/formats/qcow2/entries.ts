import type { Geometry } from './geometry.js'
import { SECTOR } from './layout.js'

/**
 * Table entries are big-endian u64: flags in the upper and lower bits, a byte offset in bits 9 to 55. They are read as
 * two 32-bit halves, and become cluster numbers (0 is the header's, so no table or data) or one of these.
 */
export const UNALLOCATED = 0
/** Reads as zeros, hides the backing file; storage that it may still have does not matter to a reader. */
export const ZERO = -1
/** Its lower 62 bits are a descriptor; see the functions below. */
export const COMPRESSED = -2
/** What is in the file cannot be: reserved bits, or a place that is not aligned, not in the file, or the L1 table's. */
export const INVALID = -3

/** In the upper half of an L2 entry. Bit 31 (the reference count is one) says nothing to a reader. */
const COMPRESSED_FLAG = 0x4000_0000
const L2_RESERVED = 0x3f00_0000
const L1_RESERVED = 0x7f00_0000
const OFFSET_HIGH = 0x00ff_ffff
/** In the lower half of an L2 entry. */
const ZERO_FLAG = 1

const TWO_TO_32 = 0x1_0000_0000

/** The L2 entry at byte `at`: a cluster number or one of the above. Runs for each entry of a run that is mapped. */
export function decodeL2Entry(view: DataView, at: number, geometry: Geometry): number {
  const high = view.getUint32(at)
  const low = view.getUint32(at + 4)
  if (high === 0 && low === 0) return UNALLOCATED
  if ((high & COMPRESSED_FLAG) !== 0) {
    return compressedOffset(view, at, geometry) < geometry.fileSize ? COMPRESSED : INVALID
  }
  // The reserved bits 1 to 8 lie below any cluster's alignment.
  if ((high & L2_RESERVED) !== 0 || (low & (geometry.clusterSize - 1) & ~ZERO_FLAG) !== 0) return INVALID
  if ((low & ZERO_FLAG) !== 0) return geometry.hasZeroFlag ? ZERO : INVALID
  const cluster = (high & OFFSET_HIGH) * geometry.clustersIn4GiB + (low >>> geometry.clusterBits)
  return cluster < geometry.dataEnd && isOutsideL1(cluster, geometry) ? cluster : INVALID
}

/** The L1 entry at byte `at`: cluster of an L2 table, UNALLOCATED or INVALID. The whole table lies in the file. */
export function decodeL1Entry(view: DataView, at: number, geometry: Geometry): number {
  const high = view.getUint32(at)
  const low = view.getUint32(at + 4)
  if ((high & L1_RESERVED) !== 0 || (low & (geometry.clusterSize - 1)) !== 0) return INVALID
  const cluster = (high & OFFSET_HIGH) * geometry.clustersIn4GiB + (low >>> geometry.clusterBits)
  return cluster < geometry.tablesEnd && isOutsideL1(cluster, geometry) ? cluster : INVALID
}

function isOutsideL1(cluster: number, { l1First, l1End }: Geometry): boolean {
  return cluster < l1First || cluster >= l1End
}

/** Where the compressed cluster of the entry at `at` begins in the file, to the byte; above 2^53 it is not exact. */
export function compressedOffset(view: DataView, at: number, geometry: Geometry): number {
  return (view.getUint32(at) & geometry.compressedHighMask) * TWO_TO_32 + view.getUint32(at + 4)
}

/** Bytes from there to the end of its last sector; the deflate stream ends somewhere in that. */
export function compressedLength(view: DataView, at: number, geometry: Geometry): number {
  const more = (view.getUint32(at) & (COMPRESSED_FLAG - 1)) >>> geometry.sectorsShift
  return (more + 1) * SECTOR - (view.getUint32(at + 4) % SECTOR)
}
