/**
 * Clusters that were handed out and taken back, because they could not be filled: handed out again before the file grows,
 * for this session only, as QED itself has no free list. What does not fit leaks, which harms nothing. Shared memory: a
 * count, then cluster numbers in no order; only under the mutex of the metadata, whose lock and unlock order the accesses.
 */
const CAPACITY = 4096

export class FreeClusters {
  private readonly words: Uint32Array

  static allocate(): SharedArrayBuffer {
    return new SharedArrayBuffer((1 + CAPACITY) * 4)
  }

  constructor(memory: SharedArrayBuffer) {
    this.words = new Uint32Array(memory)
  }

  put(cluster: number): void {
    if (this.words[0] < CAPACITY) this.words[++this.words[0]] = cluster
  }

  /** Any of them; 0, which is the header's and never free, when there is none. */
  take(): number {
    return this.words[0] === 0 ? 0 : this.words[this.words[0]--]
  }

  /** Takes this very one; false when it is not there. */
  remove(cluster: number): boolean {
    const at = this.words.indexOf(cluster, 1)
    if (at < 1 || at > this.words[0]) return false
    this.words[at] = this.words[this.words[0]--]
    return true
  }
}
