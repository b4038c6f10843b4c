import { ImageError } from '../../errors.js'

/** Bytes; files of more clusters than this has bits (8 TiB of 4 KiB clusters) are not checked. */
const MOST_MEMORY = 256 * 1024 * 1024

/** Which clusters of a file are in use: a bit for each. */
export class ClusterSet {
  /** How many are in the set. */
  count = 0
  /** The highest in the set; -1 when empty. */
  last = -1
  private readonly bits: Uint8Array

  constructor(
    readonly size: number,
    path: string,
  ) {
    const bytes = Math.ceil(size / 8)
    if (bytes > MOST_MEMORY) {
      throw new ImageError(
        'FORMAT_UNSUPPORTED',
        `${path}: the file has ${size} clusters, too many to check; convert the image to a larger cluster size`,
      )
    }
    this.bits = new Uint8Array(bytes)
  }

  /** Returns how many of them were in the set before. */
  addRange(first: number, count: number): number {
    let before = 0
    for (let cluster = first; cluster < first + count; cluster++) {
      const mask = 1 << (cluster & 7)
      if ((this.bits[cluster >>> 3]! & mask) !== 0) {
        before++
        continue
      }
      this.bits[cluster >>> 3]! |= mask
      this.count++
    }
    this.last = Math.max(this.last, first + count - 1)
    return before
  }

  /** The first cluster from `from` on that is not in the set; `size` when there is none. */
  nextAbsent(from: number): number {
    let cluster = from
    while (cluster < this.size && this.has(cluster))
      cluster += this.bits[cluster >>> 3] === 0xff ? 8 - (cluster & 7) : 1
    return Math.min(cluster, this.size)
  }

  /** The first cluster from `from` on that is in the set; `size` when there is none. */
  nextPresent(from: number): number {
    let cluster = from
    while (cluster < this.size && !this.has(cluster))
      cluster += this.bits[cluster >>> 3] === 0 ? 8 - (cluster & 7) : 1
    return Math.min(cluster, this.size)
  }

  private has(cluster: number): boolean {
    return (this.bits[cluster >>> 3]! & (1 << (cluster & 7))) !== 0
  }
}
