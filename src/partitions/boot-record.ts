import {
  BOOT_MAGIC,
  BootRecord,
  EXTENDED_TYPES,
  FatBootSector,
  MbrEntry,
  MbrFlag,
  MbrType,
} from './layout.js'

/** One of the four entries of a boot record; in sectors of 512 bytes, as they stand there. */
export interface BootRecordEntry {
  readonly flag: number
  readonly type: number
  readonly start: number
  readonly sectors: number
}

/**
 * The unit of an MBR: a disk image is given to a loop device or a virtual machine as a disk of such sectors.
 */
export const SECTOR = 512

export function hasBootMagic(sector: Uint8Array): boolean {
  return viewOf(sector).getUint16(BootRecord.magic, true) === BOOT_MAGIC
}

export function bootRecordEntries(sector: Uint8Array): BootRecordEntry[] {
  const view = viewOf(sector)
  return Array.from({ length: BootRecord.ENTRIES }, (_, index) => {
    const at = BootRecord.entries + index * MbrEntry.SIZE
    return {
      flag: view.getUint8(at + MbrEntry.flag),
      type: view.getUint8(at + MbrEntry.type),
      start: view.getUint32(at + MbrEntry.start, true),
      sectors: view.getUint32(at + MbrEntry.sectors, true),
    }
  })
}

export function isExtended({ type, sectors }: BootRecordEntry): boolean {
  return sectors > 0 && EXTENDED_TYPES.includes(type)
}

/**
 * Whether a sector with the magic is an MBR: boot sectors of file systems have the same magic, and code or text
 * where the entries would be. As Linux does, every flag must be one of the two there are; and what begins as a
 * file system does is none without an entry that leads elsewhere (mformat makes one for the file system
 * itself).
 */
export function isMbr(sector: Uint8Array): boolean {
  const entries = bootRecordEntries(sector)
  if (entries.some(({ flag }) => flag !== MbrFlag.INACTIVE && flag !== MbrFlag.ACTIVE)) return false
  return entries.some(({ start, sectors }) => sectors > 0 && start > 0) || !isFileSystem(sector)
}

/** @see block/partitions/msdos.c, is_pmbr_valid of block/partitions/efi.c */
export function isProtective(entries: readonly BootRecordEntry[]): boolean {
  return entries.some(({ type, start }) => type === MbrType.PROTECTIVE && start === 1)
}

export function diskSignature(sector: Uint8Array): number {
  return viewOf(sector).getUint32(BootRecord.diskSignature, true)
}

function isFileSystem(sector: Uint8Array): boolean {
  const view = viewOf(sector)
  const jump = view.getUint8(FatBootSector.jump)
  if (jump !== 0xeb && jump !== 0xe9) return false
  const oemName = Buffer.from(sector.subarray(FatBootSector.oemName, FatBootSector.oemName + 8)).toString(
    'latin1',
  )
  if (oemName === 'NTFS    ' || oemName === 'EXFAT   ') return true
  return (
    FAT_SECTOR_SIZES.includes(view.getUint16(FatBootSector.sectorSize, true)) &&
    view.getUint16(FatBootSector.reservedSectors, true) > 0 &&
    view.getUint8(FatBootSector.fats) > 0 &&
    (view.getUint8(FatBootSector.media) >= 0xf8 || view.getUint8(FatBootSector.media) === 0xf0)
  )
}

const FAT_SECTOR_SIZES = [512, 1024, 2048, 4096]

function viewOf(sector: Uint8Array): DataView {
  return new DataView(sector.buffer, sector.byteOffset, sector.byteLength)
}
