import test from 'ava'
import { Counter, Counters, createCounters, latenciesOf, sumCounters } from '../../src/fuse/counters.js'
import { Kind, quantile, upperBound } from '../../src/fuse/latencies.js'

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

test('a request is counted in the first bucket whose bound it stays below', t => {
  const memory = createCounters(2)
  const [one, other] = [0, 1].map(index => new Counters(memory, index))
  const microseconds = [0, 0.4, 1, 1.9, 2, 1000, 1024, 5e6]
  for (const time of microseconds) one!.took(Kind.write, time / 1000)
  // Longer than the last bound, and than 32 bits of microseconds.
  for (const seconds of [9, 5000]) other!.took(Kind.write, seconds * 1000)
  const { buckets, count, seconds } = latenciesOf(memory, Kind.write)
  t.is(count, microseconds.length + 2)
  t.true(Math.abs(seconds - (5.002_029 + 5009)) < 1e-5, `${seconds}`)
  const found = buckets.flatMap((n, bucket) => (n === 0 ? [] : [[upperBound(bucket) * 1e6, n]]))
  t.deepEqual(found, [
    [1, 2],
    [2, 2],
    [4, 1],
    [1024, 1],
    [2048, 1],
    [2 ** 23, 1],
    [Number.POSITIVE_INFINITY, 2],
  ])
  t.is(latenciesOf(memory, Kind.read).count, 0)
  t.is(sumCounters(memory).reads, 0)
})

test('quantiles are bounds of buckets, and 0 without requests', t => {
  const memory = createCounters(1)
  const counters = new Counters(memory, 0)
  t.is(quantile(latenciesOf(memory, Kind.read), 0.5), 0)
  for (let n = 0; n < 98; n++) counters.took(Kind.read, 0.01)
  for (let n = 0; n < 2; n++) counters.took(Kind.read, 3)
  t.is(quantile(latenciesOf(memory, Kind.read), 0.5), 16)
  t.is(quantile(latenciesOf(memory, Kind.read), 0.98), 16)
  t.is(quantile(latenciesOf(memory, Kind.read), 0.99), 4096)
})
