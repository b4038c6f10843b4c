import { ENTRY_LENGTH } from './layout.js'

/** The header fields that decide where things lie; plain, so that it crosses threads. */
export interface Shape {
  readonly version: number
  /** 9 to 21. */
  readonly clusterBits: number
  /** Virtual size in bytes. */
  readonly size: number
  /** Bytes, and entries. */
  readonly l1Offset: number
  readonly l1Size: number
  /** Bytes of the file when it was opened: no entry may point behind them. */
  readonly fileSize: number
}

/** Bytes in the file of the largest piece of an L2 table that is cached as one. */
export const SLICE_BYTES = 16 * 1024

/**
 * Numbers derived from the header. An L2 table is as long as a cluster, up to 2 MiB, so tables are cached in
 * *slices*: the disk is a row of slices, each `sliceSpan` guest bytes long, `slicesPerTable` of them to a table.
 */
export class Geometry {
  readonly size: number
  readonly clusterBits: number
  readonly clusterSize: number
  readonly clustersIn4GiB: number
  /** Version 2 knows no zero clusters. */
  readonly hasZeroFlag: boolean

  /** Entries that this disk's size needs; the header's table may have more. */
  readonly l1Entries: number
  /** The clusters of the L1 table: the first, and the one behind the last. */
  readonly l1First: number
  readonly l1End: number
  /** Guest bytes of one L2 table. */
  readonly tableSpan: number

  readonly sliceBytes: number
  readonly sliceEntries: number
  readonly slicesPerTable: number
  /** Guest bytes. */
  readonly sliceSpan: number
  readonly slices: number

  /** Bytes. */
  readonly fileSize: number
  /** Tables lie whole in the file, below this cluster; data may be cut by the end of the file. */
  readonly tablesEnd: number
  readonly dataEnd: number

  /** In the upper half of the descriptor of a compressed cluster: where the number of sectors begins. */
  readonly sectorsShift: number
  readonly compressedHighMask: number
  /** The longest compressed cluster that a descriptor can name, bytes. */
  readonly maxCompressed: number

  constructor(shape: Shape) {
    this.size = shape.size
    this.clusterBits = shape.clusterBits
    this.clusterSize = 2 ** shape.clusterBits
    this.clustersIn4GiB = 2 ** (32 - shape.clusterBits)
    this.hasZeroFlag = shape.version >= 3
    this.tableSpan = tableSpan(this.clusterSize)
    this.l1Entries = Math.ceil(this.size / this.tableSpan)
    this.l1First = shape.l1Offset / this.clusterSize
    this.l1End = Math.ceil((shape.l1Offset + shape.l1Size * ENTRY_LENGTH) / this.clusterSize)
    this.sliceBytes = Math.min(this.clusterSize, SLICE_BYTES)
    this.sliceEntries = this.sliceBytes / ENTRY_LENGTH
    this.slicesPerTable = this.clusterSize / this.sliceBytes
    this.sliceSpan = this.sliceEntries * this.clusterSize
    this.slices = Math.ceil(this.size / this.sliceSpan)
    this.fileSize = shape.fileSize
    this.tablesEnd = Math.floor(shape.fileSize / this.clusterSize)
    this.dataEnd = Math.ceil(shape.fileSize / this.clusterSize)
    // 62 - (cluster_bits - 8) bits of offset, of which 32 are the lower half.
    this.sectorsShift = 38 - shape.clusterBits
    this.compressedHighMask = 2 ** this.sectorsShift - 1
    this.maxCompressed = 2 * this.clusterSize
  }
}

/** Guest bytes that one L2 table maps. */
export function tableSpan(clusterSize: number): number {
  return (clusterSize / ENTRY_LENGTH) * clusterSize
}
