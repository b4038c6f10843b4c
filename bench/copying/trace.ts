import { Random } from '../../test/support/random.js'

/** One read of a trace. */
export interface TraceRead {
  /** Bytes. */
  readonly offset: number
  readonly length: number
  /** Milliseconds of work before it, in which nothing is read. */
  readonly think: number
}

const KiB = 1024
/** All offsets and lengths are multiples of it, as O_DIRECT wants. */
export const GRAIN = 4 * KiB
const MOST_THINK = 5

/** Of a run of reads that follow each other: as a read-ahead makes them of a large file. */
const RUN_LENGTHS = [64 * KiB, 128 * KiB, 256 * KiB] as const
/** Inodes, directories, small files. */
const SINGLE_LENGTHS = [4 * KiB, 4 * KiB, 8 * KiB, 16 * KiB, 32 * KiB] as const

/**
 * What a booting system reads of its disk, made up: files from their start to their end, small reads all over the disk
 * between them, a few of them again, and work in between. The same seed gives the same trace.
 */
export function bootTrace(seed: number, size: number, count = 800): TraceRead[] {
  const random = new Random(seed)
  const reads: TraceRead[] = []
  const add = (offset: number, length: number) => reads.push({ offset, length, think: think(random) })
  while (reads.length < count) {
    const kind = random.below(10)
    if (kind < 2) {
      const length = random.pick(RUN_LENGTHS)
      const run = random.between(6, 24)
      const start = place(random, size, run * length)
      for (let index = 0; index < run && reads.length < count; index++) add(start + index * length, length)
    } else if (kind < 4 && reads.length > 0) {
      const { offset, length } = random.pick(reads)
      add(offset, length)
    } else {
      const length = random.pick(SINGLE_LENGTHS)
      add(place(random, size, length), length)
    }
  }
  return reads
}

/** Bytes of the disk that a trace reads, each counted once. */
export function touchedBytes(reads: readonly TraceRead[]): number {
  const sorted = reads.toSorted((a, b) => a.offset - b.offset)
  let bytes = 0
  let end = 0
  for (const { offset, length } of sorted) {
    bytes += Math.max(0, offset + length - Math.max(offset, end))
    end = Math.max(end, offset + length)
  }
  return bytes
}

export function totalThink(reads: readonly TraceRead[]): number {
  return reads.reduce((sum, read) => sum + read.think, 0)
}

/** A start for so many bytes, within the disk. */
function place(random: Random, size: number, length: number): number {
  return random.below(Math.floor((size - length) / GRAIN) + 1) * GRAIN
}

/** Mostly short. */
function think(random: Random): number {
  return MOST_THINK * (random.below(1000) / 1000) ** 2
}
