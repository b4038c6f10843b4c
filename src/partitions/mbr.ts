import { type BootRecordEntry, bootRecordEntries, diskSignature, isExtended, SECTOR } from './boot-record.js'
import { readChain } from './extended.js'
import { BootRecord, MbrFlag } from './layout.js'
import type { Partition } from './table.js'
import { mbrTypeName } from './type-names.js'
import type { WatchedBytes } from './watched-bytes.js'

/**
 * What Linux makes a device of where an extended partition is: room for a boot loader, and nothing to format.
 */
const EXTENDED_SECTORS = 2

/**
 * The partitions of an MBR, those in its extended partitions included, in the order of their numbers. What is
 * wrong is told to `warn`. Numbers are given as Linux gives them.
 *
 * @see block/partitions/msdos.c
 */
export function readMbr(disk: WatchedBytes, sector: Uint8Array, warn: (line: string) => void): Partition[] {
  const signature = diskSignature(sector)
  const entries = bootRecordEntries(sector)
  const partitions: Partition[] = []
  const logical: BootRecordEntry[] = []
  entries.forEach((entry, index) => {
    if (entry.sectors === 0) return
    partitions.push(partition(index + 1, entry, signature))
    if (isExtended(entry)) logical.push(...readChain(disk, entry, index + 1, warn))
  })
  logical.forEach((entry, index) => {
    partitions.push(partition(BootRecord.ENTRIES + 1 + index, entry, signature))
  })
  return partitions
}

function partition(number: number, entry: BootRecordEntry, signature: number): Partition {
  const { flag, type, start, sectors } = entry
  const extended = isExtended(entry)
  const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0')
  return {
    number,
    offset: start * SECTOR,
    size: (extended ? Math.min(sectors, EXTENDED_SECTORS) : sectors) * SECTOR,
    type: `0x${hex(type, 2)}`,
    typeName: mbrTypeName(type),
    name: null,
    uuid: signature === 0 ? null : `${hex(signature, 8)}-${hex(number, 2)}`,
    bootable: flag === MbrFlag.ACTIVE,
    attributes: [],
    span: extended ? sectors * SECTOR : null,
  }
}
