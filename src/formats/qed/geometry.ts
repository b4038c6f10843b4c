import { ENTRY_LENGTH, SECTOR } from './layout.js'

/** The header fields that decide where things lie; plain, so that it crosses threads. */
export interface Shape {
  /** Bytes. */
  readonly clusterSize: number
  /** Clusters of one L1 or L2 table. */
  readonly tableSize: number
  /** Clusters before the first regular one. */
  readonly headerSize: number
  /** Bytes. */
  readonly l1Offset: number
  /** Virtual size in bytes. */
  readonly imageSize: number
}

/** Bytes in the file of the largest piece of an L2 table that is cached as one. */
export const SLICE_BYTES = 16 * 1024

/**
 * Numbers derived from the header. Tables can be as long as 1 GiB, so they are cached in *slices*: the disk is
 * a row of slices, each `sliceSpan` guest bytes long, `slicesPerTable` of them to an L2 table.
 */
export class Geometry {
  readonly size: number
  readonly clusterSize: number
  /** clusterSize is two to this power. */
  readonly clusterBits: number
  readonly clustersIn4GiB: number
  /** Clusters. */
  readonly tableSize: number
  readonly headerSize: number
  /** Bytes. */
  readonly l1Offset: number
  readonly tableBytes: number
  readonly tableEntries: number
  /** L1 entries that this disk's size needs; at most 2^18. */
  readonly l1Entries: number
  /** The L1 table's first cluster, and the first one behind it. */
  readonly l1First: number
  readonly l1End: number

  readonly sliceBytes: number
  readonly sliceEntries: number
  /** At most 32: the changed sectors of a slice fit the bits of one word. */
  readonly sliceSectors: number
  readonly slicesPerTable: number
  /** Guest bytes. */
  readonly sliceSpan: number
  readonly slices: number

  constructor(shape: Shape) {
    this.size = shape.imageSize
    this.clusterSize = shape.clusterSize
    this.clusterBits = Math.log2(shape.clusterSize)
    this.clustersIn4GiB = 2 ** (32 - this.clusterBits)
    this.tableSize = shape.tableSize
    this.headerSize = shape.headerSize
    this.l1Offset = shape.l1Offset
    this.tableBytes = shape.tableSize * shape.clusterSize
    this.tableEntries = this.tableBytes / ENTRY_LENGTH
    this.l1Entries = Math.ceil(this.size / (this.tableEntries * this.clusterSize))
    this.l1First = shape.l1Offset / shape.clusterSize
    this.l1End = this.l1First + shape.tableSize
    this.sliceBytes = Math.min(this.tableBytes, SLICE_BYTES)
    this.sliceEntries = this.sliceBytes / ENTRY_LENGTH
    this.sliceSectors = this.sliceBytes / SECTOR
    this.slicesPerTable = this.tableBytes / this.sliceBytes
    this.sliceSpan = this.sliceEntries * this.clusterSize
    this.slices = Math.ceil(this.size / this.sliceSpan)
  }
}
