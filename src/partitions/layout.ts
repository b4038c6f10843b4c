/**
 * The structures of partition tables: offsets in bytes, no logic. Numbers are little-endian.
 *
 * @see block/partitions/msdos.h and efi.h of Linux; UEFI specification 2.10, section 5
 */

/** A sector with an MBR, or with a link of a chain of extended partitions. */
export const BootRecord = {
  diskSignature: 440, // u32, MBR only
  entries: 446,
  ENTRIES: 4,
  magic: 510, // u16
  SIZE: 512,
} as const

export const BOOT_MAGIC = 0xaa55

/** One of the four entries, offsets from its own start; in sectors of 512 bytes. */
export const MbrEntry = {
  flag: 0, // u8
  type: 4, // u8
  start: 8, // u32
  sectors: 12, // u32
  SIZE: 16,
} as const

export const MbrFlag = { INACTIVE: 0x00, ACTIVE: 0x80 } as const

export const MbrType = { EMPTY: 0x00, PROTECTIVE: 0xee } as const

/** CHS, LBA, and the one of old Linux. */
export const EXTENDED_TYPES: readonly number[] = [0x05, 0x0f, 0x85]

/** The beginning of a boot sector of FAT; NTFS and exFAT are known by their names. */
export const FatBootSector = {
  jump: 0, // u8: 0xeb or 0xe9
  oemName: 3, // 8 bytes
  sectorSize: 11, // u16
  reservedSectors: 14, // u16
  fats: 16, // u8
  media: 21, // u8
} as const

export const GptHeader = {
  signature: 0, // 8 bytes
  headerSize: 12, // u32
  headerCrc: 16, // u32, taken as 0 while it is computed
  ownSector: 24, // u64
  otherSector: 32, // u64
  firstUsable: 40, // u64, sectors
  lastUsable: 48, // u64
  entriesSector: 72, // u64
  entryCount: 80, // u32
  entrySize: 84, // u32, bytes
  entriesCrc: 88, // u32
  SIZE: 92,
} as const

export const GPT_SIGNATURE = 'EFI PART'

export const GptEntry = {
  type: 0, // GUID; all zero: not used
  uuid: 16, // GUID
  firstSector: 32, // u64
  lastSector: 40, // u64, the last that belongs to it
  attributes: 48, // 64 bits
  name: 56, // UTF-16
  NAME_BYTES: 72,
  SIZE: 128,
} as const

export const GptAttribute = {
  REQUIRED: 0,
  NO_BLOCK_IO: 1,
  LEGACY_BOOT: 2,
} as const
