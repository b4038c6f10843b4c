import test from 'ava'
import { bootTrace, GRAIN, touchedBytes } from '../../../bench/copying/trace.js'

const SIZE = 512 * 2 ** 20

test('the same seed gives the same trace, another one another', t => {
  t.deepEqual(bootTrace(1, SIZE), bootTrace(1, SIZE))
  t.notDeepEqual(bootTrace(1, SIZE), bootTrace(2, SIZE))
})

test('every read is one that O_DIRECT takes, and lies within the disk', t => {
  for (const { offset, length } of bootTrace(7, SIZE)) {
    t.is(offset % GRAIN, 0)
    t.is(length % GRAIN, 0)
    t.true(length >= 4096 && length <= 256 * 1024)
    t.true(offset >= 0 && offset + length <= SIZE)
  }
})

test('a trace touches as much as a boot does, in runs and all over the disk', t => {
  const trace = bootTrace(1, SIZE)
  t.is(trace.length, 800)
  const touched = touchedBytes(trace)
  t.true(touched > 60e6 && touched < 100e6, `${touched} bytes`)
  const follows = trace.filter(
    ({ offset }, index) => index > 0 && offset === trace[index - 1]!.offset + trace[index - 1]!.length,
  )
  t.true(follows.length > trace.length / 4)
  const quarters = new Set(trace.map(({ offset }) => Math.floor((offset * 4) / SIZE)))
  t.is(quarters.size, 4)
})

test('between reads there are 0 to 5 ms of work', t => {
  t.true(bootTrace(3, SIZE).every(({ think }) => think >= 0 && think <= 5))
})

test('bytes that are read twice, or by reads that overlap, are touched once', t => {
  const read = (offset: number, length: number) => ({ offset, length, think: 0 })
  t.is(touchedBytes([read(100, 50), read(0, 10), read(120, 40), read(0, 10), read(110, 5)]), 70)
  t.is(touchedBytes([]), 0)
})
