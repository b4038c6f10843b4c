import type { Geometry } from './geometry.js'
import { ENTRY_LENGTH } from './layout.js'

/**
 * Table entries are u64 byte offsets in the file, and 32-bit cluster numbers in memory: half the size, and read
 * and written whole by any thread. The two highest numbers are markers; no file may have that many clusters.
 */
export const UNALLOCATED = 0
/** Reads as zeros, hides the backing file; 1 in the file. L2 only. */
export const ZERO = 0xffff_ffff
/** What is in the file cannot be: see the two decode functions. It is never written back. */
export const INVALID = 0xffff_fffe
/** Cluster numbers stay below; the number behind the last is no marker either, so a run never runs into one. */
export const CLUSTER_LIMIT = INVALID - 1

const ZERO_IN_FILE = 1
const TWO_TO_32 = 0x1_0000_0000

/**
 * Cluster of the L2 entry at byte `at`; `end` is the first cluster that does not lie whole in the file. Runs 2048
 * times for each slice that is read, so it does with integers.
 */
export function decodeL2Entry(view: DataView, at: number, geometry: Geometry, end: number): number {
  const low = view.getUint32(at, true)
  const high = view.getUint32(at + 4, true)
  if (high === 0 && low <= ZERO_IN_FILE) return low === ZERO_IN_FILE ? ZERO : UNALLOCATED
  if ((low & (geometry.clusterSize - 1)) !== 0) return INVALID
  const cluster = high * geometry.clustersIn4GiB + (low >>> geometry.clusterBits)
  const inRange = cluster < end && cluster >= geometry.headerSize
  return inRange && (cluster < geometry.l1First || cluster >= geometry.l1End) ? cluster : INVALID
}

/** First cluster of the table that the L1 entry at byte `at` names. The whole table fits before `end`. */
export function decodeL1Entry(view: DataView, at: number, geometry: Geometry, end: number): number {
  const low = view.getUint32(at, true)
  const high = view.getUint32(at + 4, true)
  if (high === 0 && low === 0) return UNALLOCATED
  if ((low & (geometry.clusterSize - 1)) !== 0) return INVALID
  const cluster = high * geometry.clustersIn4GiB + (low >>> geometry.clusterBits)
  const behind = cluster + geometry.tableSize
  const inRange = behind <= end && cluster >= geometry.headerSize
  return inRange && (behind <= geometry.l1First || cluster >= geometry.l1End) ? cluster : INVALID
}

/** Any entry but an invalid one, as it lies in the file. */
export function encodeEntry(view: DataView, at: number, cluster: number, clusterSize: number): void {
  const value = cluster === ZERO ? ZERO_IN_FILE : cluster * clusterSize
  view.setUint32(at, value % TWO_TO_32, true)
  view.setUint32(at + ENTRY_LENGTH / 2, Math.floor(value / TWO_TO_32), true)
}
