import { type BootRecordEntry, bootRecordEntries, hasBootMagic, isExtended, SECTOR } from './boot-record.js'
import { BootRecord } from './layout.js'
import { MAX_PARTITIONS } from './table.js'
import type { WatchedBytes } from './watched-bytes.js'

/** Links in a row that have no partition, after which Linux gives up. */
const MAX_EMPTY_LINKS = 100

/**
 * The logical partitions of an extended one, with starts from the beginning of the disk. They hang in a chain:
 * a sector with a partition, its start counted from that sector, and with the place of the next link, counted
 * from the extended partition. Whoever wrote the image wrote the chain, too: one that is a circle, leaves the
 * disk or never ends is followed so far, and told of.
 *
 * @see block/partitions/msdos.c, parse_extended
 */
export function readChain(
  disk: WatchedBytes,
  extended: BootRecordEntry,
  number: number,
  warn: (line: string) => void,
): BootRecordEntry[] {
  const found: BootRecordEntry[] = []
  const visited = new Set<number>()
  const stop = (reason: string): BootRecordEntry[] => {
    warn(`the chain of extended partition ${number} ${reason}; logical partitions after that are not shown`)
    return found
  }
  let { start, sectors } = extended
  for (let empty = 0; ; empty++) {
    if (visited.has(start)) return stop(`is a circle: it comes back to sector ${start}`)
    if (empty > MAX_EMPTY_LINKS) return stop(`has more than ${MAX_EMPTY_LINKS} links without a partition`)
    visited.add(start)
    const sector = disk.readWithin(start * SECTOR, BootRecord.SIZE)
    if (sector === null) return stop(`leaves the disk at sector ${start}`)
    if (!hasBootMagic(sector)) return stop(`has no boot record in sector ${start}`)
    const entries = bootRecordEntries(sector)
    for (const [index, entry] of entries.entries()) {
      if (entry.sectors === 0 || isExtended(entry)) continue
      const absolute = { ...entry, start: start + entry.start }
      // The last two are unused by most, and may have anything in them.
      if (index >= 2 && !isWithin(absolute, start, sectors, extended)) continue
      if (found.length >= MAX_PARTITIONS - BootRecord.ENTRIES) {
        return stop(`has more than the ${found.length} partitions that can be numbered`)
      }
      found.push(absolute)
      empty = 0
    }
    const next = entries.find(isExtended)
    if (next === undefined) return found
    start = extended.start + next.start
    sectors = next.sectors
  }
}

function isWithin(
  entry: BootRecordEntry,
  linkStart: number,
  linkSectors: number,
  extended: BootRecordEntry,
): boolean {
  const end = entry.start + entry.sectors
  return end <= linkStart + linkSectors && end <= extended.start + extended.sectors
}
