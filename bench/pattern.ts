import { Random } from '../test/support/random.js'

export const BLOCK = 4096
/** Of QED and qcow2 images made without a word about it. */
export const CLUSTER = 65536
export const MiB = 2 ** 20

/**
 * One block in each cluster of a disk, the clusters in random order: every write of it allocates. The same seed gives
 * the same offsets (bytes) to every contender.
 */
export function allocatingOffsets(seed: number, diskSize: number, clusterSize: number): number[] {
  const random = new Random(seed)
  const clusters = Array.from({ length: Math.floor(diskSize / clusterSize) }, (_, index) => index)
  for (let last = clusters.length - 1; last > 0; last--) {
    const other = random.below(last + 1)
    const moved = clusters[last]!
    clusters[last] = clusters[other]!
    clusters[other] = moved
  }
  const blocks = clusterSize / BLOCK
  return clusters.map(cluster => cluster * clusterSize + random.below(blocks) * BLOCK)
}

/** A disk from its start to its end. */
export function sequentialOffsets(diskSize: number, length: number): number[] {
  return Array.from({ length: Math.floor(diskSize / length) }, (_, index) => index * length)
}

export interface ReplayOptions {
  /** Of each write, bytes. */
  readonly length?: number
  /** An fsync after so many writes, over and over. */
  readonly fsyncEvery?: number
}

/** The text of a log of writes that fio replays (fio manual, "Trace file format v2"). */
export function replayLog(
  path: string,
  offsets: readonly number[],
  { length = BLOCK, fsyncEvery = Number.POSITIVE_INFINITY }: ReplayOptions = {},
): string {
  const lines = ['fio version 2 iolog', `${path} add`, `${path} open`]
  for (const [index, offset] of offsets.entries()) {
    lines.push(`${path} write ${offset} ${length}`)
    if ((index + 1) % fsyncEvery === 0) lines.push(`${path} sync 0 0`)
  }
  return [...lines, `${path} close`, ''].join('\n')
}
