import { constants, inflateRawSync } from 'node:zlib'
import { IoBuffer } from '../../libc/io-buffer.js'
import type { FileDescription, StorageFile } from '../../storage/storage-file.js'
import { corruptAt } from './complaints.js'
import { COMPRESSED, compressedLength, compressedOffset, decodeL2Entry } from './entries.js'
import type { Geometry } from './geometry.js'
import type { L2Cache } from './l2-cache.js'

/** Bytes of inflated clusters that a thread keeps, if that is one cluster at least. */
const CACHE_BYTES = 2 * 1024 * 1024
const MAX_SLOTS = 64
const EMPTY = -1

/**
 * The compressed clusters of an image as a file whose offsets are the guest's: reading inflates. It is what map()
 * answers for them, and good for nothing else. Whole clusters are inflated into a small cache, as a guest reads them
 * piece by piece. One object per thread; its memory is made when the first cluster is asked for.
 */
export class InflatedFile implements StorageFile {
  readonly path: string
  readonly writable = false
  readonly computed = true
  private cache: InflatedClusters | null = null

  constructor(
    private readonly file: StorageFile,
    private readonly geometry: Geometry,
    private readonly tables: L2Cache,
  ) {
    this.path = file.path
  }

  /** Throws ImageError CORRUPT for data that does not inflate to a cluster, RangeError where none is compressed. */
  read(buffer: IoBuffer, at: number, length: number, offset: number): number {
    const { clusterSize, size } = this.geometry
    this.cache ??= new InflatedClusters(this.file, this.geometry, this.tables)
    const count = Math.max(0, Math.min(length, size - offset))
    for (let done = 0; done < count; ) {
      const cluster = Math.floor((offset + done) / clusterSize)
      const within = offset + done - cluster * clusterSize
      const piece = Math.min(clusterSize - within, count - done)
      const slot = this.cache.slotOf(cluster)
      buffer.copyFrom(this.cache.bytes, slot * clusterSize + within, piece, at + done)
      done += piece
    }
    return count
  }

  write(): void {
    throw new TypeError(`${this.path}: compressed clusters are only read`)
  }

  sync(): void {}

  zero(): void {
    throw new TypeError(`${this.path}: compressed clusters are only read`)
  }

  size(): number {
    return this.geometry.size
  }

  truncate(): void {
    throw new TypeError(`${this.path}: compressed clusters are only read`)
  }

  stretch(offset: number, hole: boolean): number {
    return hole ? offset : this.geometry.size
  }

  /** The storage belongs to the image's own file. */
  allocated(): number {
    return 0
  }

  /** Each thread makes its own, over the image's file. */
  describe(): FileDescription {
    throw new TypeError(`${this.path}: inflated clusters have no descriptor of their own`)
  }

  letGo(): void {}

  close(): void {}
}

/** The clusters that were inflated last, slot after slot; the one not asked for for longest goes first. */
class InflatedClusters {
  readonly bytes: IoBuffer
  private readonly compressed: IoBuffer
  /** The guest cluster in each slot, and when it was asked for. */
  private readonly owner: Float64Array
  private readonly asked: Float64Array
  private now = 0

  constructor(
    private readonly file: StorageFile,
    private readonly geometry: Geometry,
    private readonly tables: L2Cache,
  ) {
    const { clusterSize, maxCompressed } = geometry
    const slots = Math.max(1, Math.min(MAX_SLOTS, Math.floor(CACHE_BYTES / clusterSize)))
    this.bytes = new IoBuffer(slots * clusterSize)
    this.compressed = new IoBuffer(maxCompressed)
    this.owner = new Float64Array(slots).fill(EMPTY)
    this.asked = new Float64Array(slots)
  }

  slotOf(cluster: number): number {
    const { owner, asked } = this
    let slot = owner.indexOf(cluster)
    if (slot < 0) {
      slot = 0
      for (let other = 1; other < owner.length; other++) if (asked[other]! < asked[slot]!) slot = other
      // What was there stays good when this throws.
      const inflated = this.inflate(cluster)
      this.bytes.bytes.set(inflated, slot * this.geometry.clusterSize)
      owner[slot] = cluster
    }
    asked[slot] = ++this.now
    return slot
  }

  private inflate(cluster: number): Uint8Array {
    const { compressed, file, geometry, tables } = this
    const { clusterSize } = geometry
    const offset = cluster * clusterSize
    const at = tables.locate(offset)
    if (at < 0 || decodeL2Entry(tables.view, at, geometry) !== COMPRESSED)
      throw new RangeError(`${file.path}: the cluster at guest offset ${offset} is not compressed`)
    const length = compressedLength(tables.view, at, geometry)
    const got = file.read(compressed, 0, length, compressedOffset(tables.view, at, geometry))
    let inflated: Uint8Array
    try {
      inflated = inflateRawSync(compressed.bytes.subarray(0, got), {
        // A stream may lack its end, as long as it gives the cluster; what lies behind it belongs to others.
        finishFlush: constants.Z_SYNC_FLUSH,
        chunkSize: clusterSize + 64,
        maxOutputLength: clusterSize,
      })
    } catch (cause) {
      throw corruptAt(file, 'the compressed data cannot be inflated', offset, cause)
    }
    if (inflated.length !== clusterSize) {
      throw corruptAt(file, `the compressed data have ${inflated.length} bytes of ${clusterSize}`, offset)
    }
    return inflated
  }
}
