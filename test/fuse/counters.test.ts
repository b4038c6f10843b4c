import test from 'ava'
import { Counter, Counters, createCounters, sumCounters } from '../../src/fuse/counters.js'

test('the sum is over all workers, and exact above 32 bits', t => {
  const memory = createCounters(3)
  const workers = [0, 1, 2].map(index => new Counters(memory, index))
  for (const worker of workers) worker.add(Counter.bytesRead, 2 ** 40 + 1)
  workers[1]!.add(Counter.errors, 1)
  workers[2]!.add(Counter.reads, 5)
  t.deepEqual(sumCounters(memory), {
    reads: 5,
    writes: 0,
    syncs: 0,
    others: 0,
    bytesRead: 3 * (2 ** 40 + 1),
    bytesWritten: 0,
    errors: 1,
  })
})
