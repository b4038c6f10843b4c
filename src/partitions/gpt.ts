import { readU64 } from '../bytes.js'
import { type Gpt, type GptFault, isFault, readGpt } from './gpt-header.js'
import { guidText, NO_GUID } from './guid.js'
import { GptAttribute, GptEntry } from './layout.js'
import { MAX_PARTITIONS, type Partition } from './table.js'
import { gptTypeName } from './type-names.js'
import type { WatchedBytes } from './watched-bytes.js'

/** A table does not say in which unit it counts: its header lies in sector 1, and so tells. */
const SECTOR_SIZES = [512, 4096]

/**
 * The GPT of a disk: the primary one behind the MBR, else the backup at the end of the disk or where a primary
 * header says. Null when neither can be used; `warn` has been told why.
 */
export function findGpt(
  disk: WatchedBytes,
  warn: (line: string) => void,
): { gpt: Gpt; source: 'primary' | 'backup' } | null {
  const faults: (GptFault & { sectorSize: number })[] = []
  for (const sectorSize of SECTOR_SIZES) {
    const found = readGpt(disk, sectorSize, 1)
    if (!isFault(found)) {
      if (found.otherSector !== lastSector(disk, sectorSize)) {
        warn(
          `the backup of the GPT is not at the end of the disk, which may have grown ('sgdisk -e' moves it)`,
        )
      }
      return { gpt: found, source: 'primary' }
    }
    faults.push({ ...found, sectorSize })
  }
  const damaged = faults.find(({ fault }) => fault !== null)
  const primary = `the GPT in sector 1 ${damaged?.fault ?? 'is missing'}`
  for (const { sectorSize, otherSector } of faults) {
    for (const sector of new Set([otherSector ?? 0, lastSector(disk, sectorSize)])) {
      if (sector <= 1) continue
      const found = readGpt(disk, sectorSize, sector)
      if (!isFault(found)) {
        warn(`${primary}; its backup in sector ${sector} is used ('sgdisk' repairs it)`)
        return { gpt: found, source: 'backup' }
      }
      if (found.fault !== null) warn(`the GPT in sector ${sector} ${found.fault}`)
    }
  }
  warn(`${primary}, and there is no usable backup at the end of the disk`)
  return null
}

/** Whether a header, sound or not, stands where a GPT's is. */
export function hasGptHeader(disk: WatchedBytes): boolean {
  return SECTOR_SIZES.some(sectorSize => {
    const found = readGpt(disk, sectorSize, 1)
    return !isFault(found) || found.fault !== null
  })
}

/** In the order of their numbers. */
export function gptPartitions(
  { entries, entrySize, sectorSize }: Gpt,
  warn: (line: string) => void,
): Partition[] {
  const partitions: Partition[] = []
  const count = Math.floor(entries.length / entrySize)
  for (let index = 0; index < count; index++) {
    const entry = entries.subarray(index * entrySize, (index + 1) * entrySize)
    const number = index + 1
    if (guidText(entry, GptEntry.type) === NO_GUID) continue
    if (number > MAX_PARTITIONS) {
      warn(`partition ${number} is not shown, nor are those after it: numbers end at ${MAX_PARTITIONS}`)
      break
    }
    const read = partition(number, entry, sectorSize)
    if (read.size <= 0) warn(`partition ${number} ends before it begins; it is not shown`)
    else partitions.push(read)
  }
  return partitions
}

function partition(number: number, entry: Uint8Array, sectorSize: number): Partition {
  const view = new DataView(entry.buffer, entry.byteOffset, entry.byteLength)
  const first = readU64(view, GptEntry.firstSector)
  const last = readU64(view, GptEntry.lastSector)
  const type = guidText(entry, GptEntry.type)
  return {
    number,
    offset: first * sectorSize,
    size: (last - first + 1) * sectorSize,
    type,
    typeName: gptTypeName(type),
    name: nameOf(entry),
    uuid: guidText(entry, GptEntry.uuid),
    bootable: hasBit(entry, GptAttribute.LEGACY_BOOT),
    attributes: attributesOf(entry),
    span: null,
  }
}

function nameOf(entry: Uint8Array): string {
  const text = new TextDecoder('utf-16le').decode(
    entry.subarray(GptEntry.name, GptEntry.name + GptEntry.NAME_BYTES),
  )
  const end = text.indexOf('\0')
  return end < 0 ? text : text.slice(0, end)
}

function attributesOf(entry: Uint8Array): string[] {
  const words: string[] = []
  for (let bit = 0; bit < 64; bit++) {
    if (bit === GptAttribute.LEGACY_BOOT || !hasBit(entry, bit)) continue
    words.push(ATTRIBUTE_WORDS.get(bit) ?? `bit ${bit}`)
  }
  return words
}

const ATTRIBUTE_WORDS = new Map<number, string>([
  [GptAttribute.REQUIRED, 'required'],
  [GptAttribute.NO_BLOCK_IO, 'no block I/O'],
])

function hasBit(entry: Uint8Array, bit: number): boolean {
  return (entry[GptEntry.attributes + (bit >> 3)]! & (1 << (bit & 7))) !== 0
}

function lastSector(disk: WatchedBytes, sectorSize: number): number {
  return Math.floor(disk.size / sectorSize) - 1
}
