import { crc32 } from 'node:zlib'
import { isPowerOfTwo, readU64 } from '../bytes.js'
import { GPT_SIGNATURE, GptEntry, GptHeader } from './layout.js'
import type { WatchedBytes } from './watched-bytes.js'

/** Bytes of the largest array of entries that is read: 64 times what is usual. */
const MAX_ENTRIES_BYTES = 1 << 20
const MAX_ENTRY_SIZE = 4096

/** A header whose numbers can be relied on. */
export interface Gpt {
  readonly sectorSize: number
  /** Where the header is, in sectors. */
  readonly sector: number
  /** Where it says that the other one is. */
  readonly otherSector: number
  readonly entrySize: number
  /** All entries. */
  readonly entries: Uint8Array
}

/** Why what is there is none. */
export interface GptFault {
  /** In words that go on after "the GPT in sector 1"; null where nothing says that one should be there. */
  readonly fault: string | null
  /**
   * Where the other one is to be found, when the header is sound and only its entries are damaged; else null.
   */
  readonly otherSector: number | null
}

export function isFault(found: Gpt | GptFault): found is GptFault {
  return 'fault' in found
}

/**
 * The GPT whose header is in `sector`. Each number is checked before it is used, the checksums before anything
 * is believed.
 *
 * @see UEFI specification 2.10, section 5.3.2
 */
export function readGpt(disk: WatchedBytes, sectorSize: number, sector: number): Gpt | GptFault {
  const read = disk.readWithin(sector * sectorSize, sectorSize)
  if (read === null) return { fault: null, otherSector: null }
  const header = Uint8Array.from(read)
  const view = new DataView(header.buffer)
  if (Buffer.from(header.subarray(0, GPT_SIGNATURE.length)).toString('latin1') !== GPT_SIGNATURE) {
    return { fault: null, otherSector: null }
  }
  const headerFault = faultOfHeader(view, sectorSize, sector, disk.size)
  if (headerFault !== null) return { fault: headerFault, otherSector: null }

  const otherSector = readU64(view, GptHeader.otherSector)
  const entrySize = view.getUint32(GptHeader.entrySize, true)
  const bytes = view.getUint32(GptHeader.entryCount, true) * entrySize
  const damaged = (fault: string): GptFault => ({ fault, otherSector })
  if (!isPowerOfTwo(entrySize) || entrySize < GptEntry.SIZE || entrySize > MAX_ENTRY_SIZE) {
    return damaged(`has entries of ${entrySize} bytes, which is not allowed`)
  }
  if (bytes === 0 || bytes > MAX_ENTRIES_BYTES) {
    return damaged(`has ${bytes / entrySize} entries, at most ${MAX_ENTRIES_BYTES / entrySize} are read`)
  }
  const entries = disk.readWithin(readU64(view, GptHeader.entriesSector) * sectorSize, bytes)
  if (entries === null) return damaged('has its entries beyond the end of the disk')
  if (crc32(entries) !== view.getUint32(GptHeader.entriesCrc, true)) {
    return damaged('has entries that do not match their checksum')
  }
  return { sectorSize, sector, otherSector, entrySize, entries: Uint8Array.from(entries) }
}

function faultOfHeader(view: DataView, sectorSize: number, sector: number, diskSize: number): string | null {
  const size = view.getUint32(GptHeader.headerSize, true)
  if (size < GptHeader.SIZE || size > sectorSize) return `has a header of ${size} bytes, which cannot be`
  const stored = view.getUint32(GptHeader.headerCrc, true)
  view.setUint32(GptHeader.headerCrc, 0, true)
  const computed = crc32(new Uint8Array(view.buffer, 0, size))
  view.setUint32(GptHeader.headerCrc, stored, true)
  if (computed !== stored) return 'does not match its checksum'
  if (readU64(view, GptHeader.ownSector) !== sector) return 'says that it is in another sector'
  const first = readU64(view, GptHeader.firstUsable)
  const last = readU64(view, GptHeader.lastUsable)
  // Written so that a number too large to be exact fails.
  const sound = first <= last + 1 && (last + 1) * sectorSize <= diskSize
  return sound ? null : `is for a disk of other size: sectors ${first} to ${last} do not lie on this one`
}
