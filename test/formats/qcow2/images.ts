import { deflateRawSync } from 'node:zlib'
import { Mapping, Where } from '../../../src/formats/driver.js'
import type { OpenedImage } from '../../../src/formats/format.js'
import { qcow2 } from '../../../src/formats/qcow2/index.js'
import { IoBuffer } from '../../../src/libc/io-buffer.js'
import type { StorageFile } from '../../../src/storage/storage-file.js'
import { SimulatedStorage } from '../../support/simulated-storage.js'

export const PATH = '/images/disk.qcow2'

/** Bits of L2 entries. */
export const COPIED = 1n << 63n
export const COMPRESSED = 1n << 62n
export const ZERO = 1n

export interface Spec {
  readonly version?: 2 | 3
  readonly clusterBits?: number
  /** Bytes. */
  readonly size?: number
  readonly backing?: string
  /** Header extensions: type and data, in order. */
  readonly extensions?: readonly (readonly [number, Uint8Array])[]
  /** Clusters of data behind the tables. */
  readonly data?: number
}

/**
 * An image by the book, on a simulated disk: header, L1 table at cluster 1, one empty L2 table for each of its entries,
 * data clusters. No refcounts: nobody here reads them.
 */
export class TestImage {
  readonly storage = new SimulatedStorage()
  readonly file: StorageFile
  readonly clusterSize: number
  readonly tables: number
  /** The first data cluster. */
  readonly firstData: number

  constructor(spec: Spec = {}) {
    const { version = 3, clusterBits = 12, size = 4 << 20, data = 16 } = spec
    this.clusterSize = 2 ** clusterBits
    this.tables = Math.ceil(size / ((this.clusterSize / 8) * this.clusterSize))
    this.firstData = 2 + this.tables
    this.file = this.storage.create(PATH, false)
    this.file.truncate((this.firstData + data) * this.clusterSize)
    this.putText(0, 'QFI\xfb')
    this.put32(4, version)
    this.put32(20, clusterBits)
    this.put64(24, size)
    this.put32(36, this.tables)
    this.put64(40, this.clusterSize)
    if (version === 3) this.put32(96, 4)
    if (version === 3) this.put32(100, 112)
    this.putExtensions(version === 3 ? 112 : 72, spec)
    for (let table = 0; table < this.tables; table++)
      this.put64(this.clusterSize + 8 * table, COPIED | BigInt((2 + table) * this.clusterSize))
    this.storage.settle()
  }

  /** Where the L2 entry of a guest cluster stands in the file. */
  entryAt(cluster: number): number {
    return 2 * this.clusterSize + 8 * cluster
  }

  setEntry(cluster: number, entry: bigint): void {
    this.put64(this.entryAt(cluster), entry)
  }

  /** The offset in the file of the n-th data cluster. */
  dataAt(n: number): number {
    return (this.firstData + n) * this.clusterSize
  }

  /** What an L2 entry says of `length` bytes of a deflate stream at byte `offset`. */
  compressed(offset: number, length: number): bigint {
    const bits = BigInt(62 - (Math.log2(this.clusterSize) - 8))
    const sectors = Math.floor((offset + length - 1) / 512) - Math.floor(offset / 512)
    return COMPRESSED | (BigInt(sectors) << bits) | BigInt(offset)
  }

  put32(at: number, value: number): void {
    scratch.view.setUint32(0, value)
    this.file.write(scratch, 0, 4, at)
  }

  put64(at: number, value: number | bigint): void {
    scratch.view.setBigUint64(0, BigInt.asUintN(64, BigInt(value)))
    this.file.write(scratch, 0, 8, at)
  }

  putText(at: number, text: string): void {
    this.putBytes(at, Buffer.from(text, 'latin1'))
  }

  putBytes(at: number, bytes: Uint8Array): void {
    if (bytes.length === 0) return
    const buffer = new IoBuffer(bytes.length)
    buffer.bytes.set(bytes)
    this.file.write(buffer, 0, bytes.length, at)
  }

  open(metadataCache = 1 << 20): OpenedImage {
    return qcow2.open(this.file, { writable: false, metadataCache })
  }

  private putExtensions(start: number, { backing = '', extensions = [] }: Spec): void {
    let at = start
    for (const [type, bytes] of extensions) {
      this.put32(at, type)
      this.put32(at + 4, bytes.length)
      this.putBytes(at + 8, bytes)
      at += 8 + Math.ceil(bytes.length / 8) * 8
    }
    if (backing === '') return
    this.put64(8, at + 8)
    this.put32(16, Buffer.byteLength(backing))
    this.putBytes(at + 8, Buffer.from(backing))
  }
}

export function deflated(bytes: Uint8Array): Buffer {
  return deflateRawSync(bytes)
}

const scratch = new IoBuffer(8)
const run = new Mapping()

/** "data 20480+4096", "inflated 4096", "zero 8192" or "absent 4096". */
export function mapped({ driver }: OpenedImage, offset: number, length: number): string {
  driver.map(offset, length, run)
  if (run.where === Where.data && run.file!.computed) return `inflated ${run.length}`
  if (run.where === Where.data) return `data ${run.offset}+${run.length}`
  return `${run.where === Where.zero ? 'zero' : 'absent'} ${run.length}`
}

/** What map() and the file that it names give for a range, absent parts as zeros. */
export function contents({ driver }: OpenedImage, offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  const buffer = new IoBuffer(length)
  for (let done = 0; done < length; done += run.length) {
    driver.map(offset + done, length - done, run)
    if (run.where !== Where.data) continue
    const got = run.file!.read(buffer, 0, run.length, run.offset)
    bytes.set(buffer.bytes.subarray(0, got), done)
  }
  return bytes
}
