import test from 'ava'
import { humanDuration } from '../../src/commands/display/human-duration.js'
import { bar, percent, progressLine } from '../../src/commands/display/progress-bar.js'
import { Pace, secondsLeft } from '../../src/commands/display/progress-pace.js'

const MiB = 1024 * 1024
const HALF = { done: 512 * MiB, total: 1024 * MiB, rate: 50 * MiB, secondsLeft: 10 }

test('a bar has bytes done and total, percent, rate and time left in 80 columns', t => {
  t.is(progressLine(HALF, 80), '[==========>           ]   50%   512 MiB of 1 GiB    50 MiB/s  10 s left')
})

test('no bar reaches the last column, whatever is known and however narrow the terminal', t => {
  for (const columns of [12, 20, 39, 40, 60, 79, 80, 81, 120, 300]) {
    for (const done of [0, 1, HALF.total / 3, HALF.total]) {
      for (const left of [null, 0, 7265]) {
        const line = progressLine({ ...HALF, done, secondsLeft: left }, columns)
        t.true(line.length < columns, `${columns}: ${line}`)
        t.regex(line, /%/)
      }
    }
  }
  t.is(progressLine(HALF, 30), '[=========>           ]   50%')
})

test('what stands behind the bar does not move while it goes on', t => {
  const at = (done: number) => progressLine({ ...HALF, done }, 80).indexOf(' of ')
  t.is(new Set([0, 9 * MiB, 99.9 * MiB, 1000 * MiB].map(at)).size, 1)
})

test('a bar is full and 100% only when nothing is left', t => {
  t.is(bar(999_999, 1_000_000, 10), '[========> ]')
  t.is(percent(999_999, 1_000_000), ' 99%')
  t.is(bar(1, 1, 10), '[==========]')
  t.is(percent(1, 1), '100%')
  t.is(bar(0, 10, 10), '[          ]')
  t.is(percent(0, 0), '100%')
})

test('durations are in the two largest units', t => {
  t.deepEqual([0, 0.4, 59.4, 60, 125, 3600, 11_520, 86_400, 100_000].map(humanDuration), [
    '0 s',
    '0 s',
    '59 s',
    '1 min',
    '2 min 5 s',
    '1 h',
    '3 h 12 min',
    '1 d',
    '1 d 3 h',
  ])
})

test('a pace is that of the last seconds', t => {
  const pace = new Pace(1000)
  t.is(pace.rate, 0)
  pace.add(0, 0)
  t.is(pace.rate, 0)
  pace.add(1000, 500)
  t.is(pace.rate, 500)
  pace.add(2000, 500)
  t.is(pace.rate, 0)
  pace.add(2500, 1000)
  t.is(pace.rate, 500 / 1.5)
})

test('the time left is not known without a pace, and zero when nothing is left', t => {
  t.is(secondsLeft(null, 10), null)
  t.is(secondsLeft(10, 0), null)
  t.is(secondsLeft(10, 5), 2)
  t.is(secondsLeft(0, 0), 0)
})
