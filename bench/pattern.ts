import { Random } from '../test/support/random.js'

export const BLOCK = 4096

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

/** The text of a log that fio replays (fio manual, "Trace file format v2"). */
export function replayLog(path: string, offsets: readonly number[]): string {
  const writes = offsets.map(offset => `${path} write ${offset} ${BLOCK}`)
  return ['fio version 2 iolog', `${path} add`, `${path} open`, ...writes, `${path} close`, ''].join('\n')
}
