import { Mapping, Place, Where, type WritableDriver } from '../../../src/formats/driver.js'
import type { BackingReference } from '../../../src/formats/format.js'
import { qed } from '../../../src/formats/qed/index.js'
import { IoBuffer } from '../../../src/libc/io-buffer.js'
import type { StorageFile } from '../../../src/storage/storage-file.js'
import { SimulatedStorage } from '../../support/simulated-storage.js'

export const PATH = '/images/disk.qed'

export interface Geometry {
  readonly size?: number
  readonly clusterSize?: number
  readonly tableSize?: number
  readonly backing?: BackingReference | null
}

/** An empty image on a simulated disk, everything so far durable and forgotten. */
export function makeImage(geometry: Geometry = {}): { storage: SimulatedStorage; file: StorageFile } {
  const { size = 8 << 20, clusterSize = 4096, tableSize = 1, backing = null } = geometry
  const storage = new SimulatedStorage()
  const file = storage.create(PATH, false)
  const options = new Map([
    ['cluster_size', `${clusterSize}`],
    ['table_size', `${tableSize}`],
  ])
  qed.create(file, { size, backing, options })
  storage.settle()
  return { storage, file }
}

export function openForWriting(file: StorageFile, metadataCache = 1): WritableDriver {
  return qed.open(file, { writable: true, metadataCache }).driver as WritableDriver
}

const place = new Place()
const data = new IoBuffer(64 * 1024)

/** What the Disk does for a write of whole clusters; returns where they lie in the file. */
export function writeCluster(driver: WritableDriver, offset: number, fill = 0xdd): number {
  driver.allocate(offset, driver.grain, place)
  data.bytes.fill(fill)
  place.file!.write(data, 0, Math.min(place.length, data.length), place.offset)
  driver.publish(offset, place)
  return place.offset
}

const run = new Mapping()

/** "data 20480+4096", "zero 8192" or "absent 4096". */
export function mapped(driver: { map: WritableDriver['map'] }, offset: number, length: number): string {
  driver.map(offset, length, run)
  if (run.where === Where.data) return `data ${run.offset}+${run.length}`
  return `${run.where === Where.zero ? 'zero' : 'absent'} ${run.length}`
}

/** Overwrites bytes of the file, as damage does. */
export function poke(file: StorageFile, offset: number, value: number | bigint, length = 8): void {
  const buffer = new IoBuffer(8)
  buffer.view.setBigUint64(0, BigInt.asUintN(64, BigInt(value)), true)
  file.write(buffer, 0, length, offset)
}

export function peek(file: StorageFile, offset: number): bigint {
  const buffer = new IoBuffer(8)
  file.read(buffer, 0, 8, offset)
  return buffer.view.getBigUint64(0, true)
}

export const NEED_CHECK = 2n
export const FEATURES_AT = 16

export function needsCheck(file: StorageFile): boolean {
  return (peek(file, FEATURES_AT) & NEED_CHECK) !== 0n
}
