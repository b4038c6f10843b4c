import { bootRecordEntries, hasBootMagic, isMbr, isProtective, SECTOR } from './boot-record.js'
import { findGpt, gptPartitions, hasGptHeader } from './gpt.js'
import { BootRecord, MbrType } from './layout.js'
import { readMbr } from './mbr.js'
import { soundPartitions } from './sound.js'
import { type DiskBytes, MAX_WARNINGS, type Partition, type PartitionTable } from './table.js'
import { WatchedBytes } from './watched-bytes.js'

/**
 * The partition table of a disk, as Linux would take it: a GPT where the MBR is a protective one, else the MBR.
 * A disk without either has the scheme "none", and so has one whose table cannot be used; `warnings` say why
 * then.
 *
 * Whatever the disk holds, this ends, takes memory within fixed bounds, and throws nothing but what reading
 * throws.
 */
export function readPartitionTable(bytes: DiskBytes): PartitionTable {
  const disk = new WatchedBytes(bytes)
  const warnings: string[] = []
  let unsaid = 0
  const warn = (line: string): void => {
    if (warnings.length < MAX_WARNINGS - 1) warnings.push(line)
    else unsaid++
  }
  const found = read(disk, warn)
  const partitions = soundPartitions(found.partitions, disk.size, warn)
  if (unsaid > 0) warnings.push(`and ${unsaid} more`)
  return { ...found, partitions, warnings, watched: disk.watched() }
}

type Found = Pick<PartitionTable, 'scheme' | 'sectorSize' | 'source'> & { partitions: Partition[] }

const NONE: Found = { scheme: 'none', sectorSize: SECTOR, source: 'primary', partitions: [] }

function read(disk: WatchedBytes, warn: (line: string) => void): Found {
  const read = disk.readWithin(0, BootRecord.SIZE)
  if (read === null) return NONE
  const sector = Uint8Array.from(read)
  const entries = bootRecordEntries(sector)
  const mbr = hasBootMagic(sector) && isMbr(sector)
  if (!mbr || !entries.some(({ type }) => type === MbrType.PROTECTIVE)) {
    if (hasGptHeader(disk)) warn('there is a GPT, but no protective MBR; it is not used, as Linux would not')
    return mbr ? { ...NONE, scheme: 'mbr', partitions: readMbr(disk, sector, warn) } : NONE
  }
  if (!isProtective(entries)) {
    warn('the MBR protects a GPT that is not where it says; neither is used')
    return NONE
  }
  const found = findGpt(disk, warn)
  if (found === null) return NONE
  const others = entries.filter(
    ({ type, sectors }) => type !== MbrType.PROTECTIVE && type !== MbrType.EMPTY && sectors > 0,
  )
  if (others.length > 0) warn('the MBR is a hybrid one; its partitions are taken from the GPT alone')
  const { gpt, source } = found
  return { scheme: 'gpt', sectorSize: gpt.sectorSize, source, partitions: gptPartitions(gpt, warn) }
}
