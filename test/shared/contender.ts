import { parentPort, workerData } from 'node:worker_threads'
import { Mutex } from '../../src/shared/mutex.js'
import { RangeLock } from '../../src/shared/range-lock.js'

/** A thread that increments shared words, not atomically, under the lock that the test is about. */
export interface ContenderTask {
  readonly kind: 'mutex' | 'range'
  readonly lock: SharedArrayBuffer
  /** Words that are incremented; with range locks, word i stands for bytes 10 i to 10 i + 9. */
  readonly words: SharedArrayBuffer
  readonly rounds: number
  readonly seed: number
}

const { kind, lock, words, rounds, seed } = workerData as ContenderTask
const cells = new Float64Array(words)

/** Long enough between load and store that unprotected increments of two threads do meet. */
function increment(cell: number): void {
  const before = cells[cell]
  for (let i = 0; i < 50; i++) if (cells[cell] < 0) throw new Error('never')
  cells[cell] = before + 1
}

if (kind === 'mutex') {
  const mutex = new Mutex(new Int32Array(lock), 0, 'test')
  for (let round = 0; round < rounds; round++) {
    mutex.lock()
    increment(0)
    mutex.unlock()
  }
} else {
  const ranges = new RangeLock(lock)
  for (let round = 0; round < rounds; round++) {
    const first = (round * 7 + seed * 3) % cells.length
    const last = Math.min(cells.length - 1, first + (round % 3))
    const slot = ranges.acquire(first * 10, last * 10 + 10)
    for (let cell = first; cell <= last; cell++) increment(cell)
    ranges.release(slot)
  }
}
parentPort!.postMessage('done')
