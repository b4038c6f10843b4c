/**
 * How an image wants to be filled from its base: what the header of FVD records, under our names. An image of a format
 * without such fields has the defaults, which are those of a new FVD image.
 */
export interface CopySettings {
  /** What is read from the base is kept. */
  readonly copyOnRead: boolean
  /** Bytes that copy-on-read may hold in memory until they are stored; what is read beyond is not kept. */
  readonly outstanding: number
  /** Seconds after the open until the rest of the base is fetched; null: it is not. */
  readonly prefetchDelay: number | null
  /** Pieces of the base that are fetched at a time, and the bytes of each. */
  readonly slots: number
  readonly pieceBytes: number
  /** Milliseconds over which a throughput is measured. */
  readonly readMeasureTime: number
  readonly writeMeasureTime: number
  /** Percent: the weight of the earlier measurements in the average. */
  readonly averageWeight: number
  /** Bytes per second, all four. Below the least, fetching pauses; 0: never. */
  readonly leastReadRate: number
  readonly leastWriteRate: number
  /** Never exceeded; Infinity: no limit. */
  readonly mostReadRate: number
  readonly mostWriteRate: number
  /** Milliseconds: a pause takes a random time up to this. */
  readonly pauseTime: number
  /** The ranges of the base that are read first are recorded, in their order. */
  readonly recordProfile: boolean
  /** Seconds after the open until what the profile names is fetched; null: it is not. */
  readonly profileDelay: number | null
  /** Whether guest writes go to the base, too. */
  readonly writeBase: WriteBase
}

/** "writethrough": the base has a write when the fsync after it returns; "writeback": later, at the latest at the end. */
export type WriteBase = 'no' | 'writethrough' | 'writeback'

const MIB = 1024 * 1024
const KIB = 1024

export const DEFAULT_COPY_SETTINGS: CopySettings = {
  copyOnRead: false,
  outstanding: 2_000_000,
  prefetchDelay: null,
  slots: 2,
  pieceBytes: MIB,
  readMeasureTime: 100,
  writeMeasureTime: 100,
  averageWeight: 80,
  leastReadRate: 5120 * KIB,
  leastWriteRate: 5120 * KIB,
  mostReadRate: Number.POSITIVE_INFINITY,
  mostWriteRate: Number.POSITIVE_INFINITY,
  pauseTime: 30_000,
  recordProfile: false,
  profileDelay: null,
  writeBase: 'no',
}
