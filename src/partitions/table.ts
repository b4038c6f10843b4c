/** What a partition table is read from: a disk, or anything else with bytes in it. */
export interface DiskBytes {
  /** Bytes. */
  readonly size: number
  /**
   * Exactly `length` bytes, all of them within `size`; good until the next call. Throws what the storage
   * throws.
   */
  read(offset: number, length: number): Uint8Array
}

/** Bytes from `start` up to, without, `end`. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/** Offsets and sizes are bytes. */
export interface Partition {
  /**
   * As Linux counts: 1 to 4 in the MBR, from 5 on in its extended partition; in a GPT the place in the table.
   */
  readonly number: number
  readonly offset: number
  /**
   * Of an extended partition what Linux makes a device of: its first two sectors, so that nobody formats all of
   * it.
   */
  readonly size: number
  /** 0x83, or a GUID in lower case. */
  readonly type: string
  /** The type in words; null where it is not a common one. */
  readonly typeName: string | null
  /** GPT only: what its maker called it. */
  readonly name: string | null
  /** As Linux and udev write it (PARTUUID); null in an MBR without a signature. */
  readonly uuid: string | null
  /** The active flag of the MBR, the "legacy BIOS bootable" attribute of GPT. */
  readonly bootable: boolean
  /** The other attributes that are set, in words; GPT only. */
  readonly attributes: readonly string[]
  /** Of an extended partition: what the table gives it, logical partitions included. */
  readonly span: number | null
}

export interface PartitionTable {
  readonly scheme: 'mbr' | 'gpt' | 'none'
  /** The unit of the table's numbers: 512, or 4096 in some GPTs. */
  readonly sectorSize: number
  /** Which of the two a GPT has was read. */
  readonly source: 'primary' | 'backup'
  /** In the order of their numbers. */
  readonly partitions: readonly Partition[]
  /** What is wrong with the table, a line each, at most MAX_WARNINGS. */
  readonly warnings: readonly string[]
  /** Where the table lies, in order, apart from each other: a write anywhere else does not change it. */
  readonly watched: readonly ByteRange[]
}

/** The highest number, as in Linux. */
export const MAX_PARTITIONS = 255

export const MAX_WARNINGS = 32
