import { ENTRY_LENGTH, SECTOR } from './layout.js'

/** Where things lie, as the header says; bytes, all of it held against the format. Plain, so that it crosses threads. */
export interface Shape {
  /** Virtual size. */
  readonly size: number
  /** The guest's bytes that the bitmap covers; from here on nothing is in the base. 0: no base is consulted. */
  readonly baseSize: number
  readonly bitmapOffset: number
  /** 0 when no base is consulted. */
  readonly blockSize: number
  readonly compact: boolean
  readonly tableOffset: number
  /** 0 in a flat image. */
  readonly chunkSize: number
  readonly growUnit: number
  readonly journalOffset: number
  /** 0 = no journal, or nothing to note in one. */
  readonly journalSize: number
  /** Where data begin: in the image file, or 0 in a data file. */
  readonly dataOffset: number
}

/** Numbers derived from the shape. */
export class Geometry {
  readonly size: number
  readonly baseSize: number
  readonly blockSize: number
  readonly compact: boolean
  readonly chunkSize: number
  /** Bits of the bitmap in use; 0 when no base is consulted. */
  readonly blocks: number
  /** Entries of the table in use; 0 in a flat image. */
  readonly chunks: number
  /** Sectors of 512 bytes that hold them. */
  readonly bitmapSectors: number
  readonly tableSectors: number
  readonly journalSectors: number
  /** Changes of bitmap or table are possible at all. */
  readonly hasMetadata: boolean

  constructor(readonly shape: Shape) {
    this.size = shape.size
    this.baseSize = shape.baseSize
    this.blockSize = shape.blockSize
    this.compact = shape.compact
    this.chunkSize = shape.chunkSize
    this.blocks = shape.baseSize === 0 ? 0 : Math.ceil(shape.baseSize / shape.blockSize)
    this.chunks = shape.compact ? Math.ceil(shape.size / shape.chunkSize) : 0
    this.bitmapSectors = Math.ceil(this.blocks / 8 / SECTOR)
    this.tableSectors = Math.ceil((this.chunks * ENTRY_LENGTH) / SECTOR)
    this.journalSectors = Math.floor(shape.journalSize / SECTOR)
    this.hasMetadata = this.blocks > 0 || this.chunks > 0
  }
}
