import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import fc from 'fast-check'
import { monotonicTime, Throttle } from '../../src/copy/throttle.js'
import { type CopySettings, DEFAULT_COPY_SETTINGS } from '../../src/formats/copy-settings.js'
import { holds } from '../support/properties.js'
import type { ThrottleTask } from './throttle-worker.js'

const KIB = 1024
const MIB = 1024 * KIB

/** A throttle under a clock that stands still unless it is moved. */
class Trial {
  now = 1_000_000
  chance = 0.5
  readonly throttle: Throttle

  constructor(settings: Partial<CopySettings>) {
    this.throttle = new Throttle(
      Throttle.allocate(),
      { ...DEFAULT_COPY_SETTINGS, ...settings },
      () => this.now,
      () => this.chance,
    )
  }

  read(bytes: number, milliseconds: number): void {
    this.throttle.beginRead()
    this.now += milliseconds
    this.throttle.endRead(bytes)
  }

  write(bytes: number, milliseconds: number): void {
    this.throttle.beginWrite()
    this.now += milliseconds
    this.throttle.endWrite(bytes)
  }
}

// The limit

interface Flow {
  readonly limit: number
  readonly piece: number
  readonly threads: number
  /** Milliseconds that a read takes, and by which a sleep is too long. */
  readonly latency: number
  readonly oversleep: number
}

/** When pieces began, with their bytes, in some seconds of `threads` that do nothing but fetch. */
function flow({ limit, piece, threads, latency, oversleep }: Flow, seconds: number): [number, number][] {
  const trial = new Trial({ mostReadRate: limit, leastReadRate: 0 })
  const start = trial.now
  const free = Array.from({ length: threads }, () => start)
  const begun: [number, number][] = []
  for (;;) {
    const at = Math.min(...free)
    if (at > start + seconds * 1000) return begun
    trial.now = at
    const delay = trial.throttle.delayBefore(piece)
    const begin = at + delay + (delay > 0 ? oversleep : 0)
    begun.push([begin - start, piece])
    free[free.indexOf(at)] = begin + latency
  }
}

/** The least and the most bytes per second in any second of the flow, but for the first. */
function extremes(begun: [number, number][], seconds: number): [number, number] {
  let least = Number.POSITIVE_INFINITY
  let most = 0
  for (let from = 1000; from + 1000 <= seconds * 1000; from += 37) {
    const bytes = begun.reduce((sum, [at, count]) => sum + (at >= from && at < from + 1000 ? count : 0), 0)
    least = Math.min(least, bytes)
    most = Math.max(most, bytes)
  }
  return [least, most]
}

for (const threads of [1, 2, 7]) {
  for (const [limit, piece] of [
    [100 * MIB, 64 * KIB],
    [100 * MIB, 5 * MIB],
    [3 * MIB, 4 * KIB],
    [3 * MIB, 128 * KIB],
    [200 * KIB, 512],
  ] as const) {
    test(`${threads} threads with pieces of ${piece} bytes keep within 10 % of ${limit} bytes per second in any second`, t => {
      // The base would give a quarter more.
      const latency = (0.8 * threads * piece * 1000) / limit
      const [least, most] = extremes(flow({ limit, piece, threads, latency, oversleep: 1 }, 5), 5)
      t.true(least >= limit * 0.9, `${least}`)
      t.true(most <= limit * 1.1, `${most}`)
    })
  }
}

test('whatever the pieces, the threads and their delays: no more flows than the limit and a burst', t => {
  const cases = fc.record({
    limit: fc.integer({ min: MIB, max: 1000 * MIB }),
    piece: fc.integer({ min: 128 * KIB, max: 2 * MIB }),
    threads: fc.integer({ min: 1, max: 9 }),
    latency: fc.integer({ min: 0, max: 100 }),
    oversleep: fc.integer({ min: 0, max: 50 }),
  })
  holds(
    t,
    fc.property(cases, one => {
      const begun = flow(one, 0.5)
      const allowed = (at: number) => one.limit * ((at + 30 + one.oversleep) / 1000) + one.piece
      let sum = 0
      for (const [at, count] of begun.sort(([a], [b]) => a - b)) {
        sum += count
        if (sum > allowed(at) + 1) return false
      }
      return true
    }),
  )
})

test('after a rest only a small burst flows at once', t => {
  const trial = new Trial({ mostReadRate: MIB })
  trial.now += 3_600_000
  let atOnce = 0
  while (trial.throttle.delayBefore(4 * KIB) === 0) atOnce += 4 * KIB
  t.true(atOnce <= 0.04 * MIB, `${atOnce}`)
})

test('the smaller of the two limits counts', t => {
  for (const settings of [{ mostReadRate: MIB }, { mostWriteRate: MIB }]) {
    const trial = new Trial({ mostReadRate: 9 * MIB, mostWriteRate: 9 * MIB, ...settings })
    trial.throttle.delayBefore(MIB)
    t.is(Math.round(trial.throttle.delayBefore(1)), 970)
    t.is(trial.throttle.smoothPiece, MIB / 20)
  }
})

test('without a limit nobody waits', t => {
  const trial = new Trial({})
  for (let n = 0; n < 100; n++) t.is(trial.throttle.delayBefore(1024 * MIB), 0)
  t.is(trial.throttle.smoothPiece, Number.POSITIVE_INFINITY)
})

// The average

const UNPAUSED = { leastReadRate: 0, leastWriteRate: 0 }

test('rates are 0 before the first measurement, which is then the average', t => {
  const trial = new Trial({ ...UNPAUSED, readMeasureTime: 100, writeMeasureTime: 300 })
  trial.read(MIB, 99)
  trial.write(MIB, 200)
  t.deepEqual([trial.throttle.readRate, trial.throttle.writeRate], [0, 0])
  trial.read(MIB, 1)
  t.deepEqual([trial.throttle.readRate, trial.throttle.writeRate], [20 * MIB, 0])
  trial.write(2 * MIB, 100)
  t.is(trial.throttle.writeRate, 10 * MIB)
})

for (const [weight, expected] of [
  [80, 18],
  [50, 15],
  [0, 10],
  [100, 20],
] as const) {
  test(`with a weight of ${weight} percent, 20 and then 10 MiB per second are ${expected} on the average`, t => {
    const trial = new Trial({ ...UNPAUSED, averageWeight: weight })
    trial.read(2 * MIB, 100)
    trial.read(MIB, 100)
    t.is(trial.throttle.readRate, expected * MIB)
  })
}

test('time in which nothing is asked does not count', t => {
  const trial = new Trial(UNPAUSED)
  for (let n = 0; n < 10; n++) {
    trial.read(MIB, 10)
    trial.now += 5000
  }
  t.is(trial.throttle.readRate, 100 * MIB)
})

test('requests at the same time add up, over the time from the first to the last', t => {
  const trial = new Trial(UNPAUSED)
  trial.throttle.beginRead()
  trial.now += 40
  trial.throttle.beginRead()
  trial.now += 40
  trial.throttle.endRead(MIB)
  trial.now += 40
  trial.throttle.endRead(2 * MIB)
  t.is(Math.round(trial.throttle.readRate), 25 * MIB)
})

test('whatever was measured, the average lies between the slowest and the fastest', t => {
  const measured = fc.array(fc.tuple(fc.nat(10 * MIB), fc.integer({ min: 100, max: 5000 })), { minLength: 1 })
  holds(
    t,
    fc.property(measured, fc.nat(100), (reads, averageWeight) => {
      const trial = new Trial({ ...UNPAUSED, averageWeight })
      const rates = reads.map(([bytes, time]) => (bytes * 1000) / time)
      for (const [bytes, time] of reads) trial.read(bytes, time)
      const { readRate } = trial.throttle
      return readRate >= Math.min(...rates) * 0.999999 && readRate <= Math.max(...rates) * 1.000001
    }),
  )
})

// Pauses

test('below the least rate of the base there is a pause of a random time, and then it ends', t => {
  const trial = new Trial({ leastReadRate: 5 * MIB, pauseTime: 30_000 })
  trial.read(MIB, 100)
  t.deepEqual([trial.throttle.pauseUntil(), trial.throttle.why], [0, null])
  trial.chance = 0.25
  for (let n = 0; n < 50 && trial.throttle.why === null; n++) trial.read(MIB / 10, 100)
  const began = trial.now
  t.is(trial.throttle.pauseUntil(), began + 7500)
  t.is(trial.throttle.why, 'base')
  t.true(trial.throttle.readRate > 0)
  trial.now = began + 7499.5
  t.is(trial.throttle.why, 'base')
  trial.now = began + 7500
  t.deepEqual([trial.throttle.pauseUntil(), trial.throttle.why], [0, null])
})

test('below the least rate of the image there is a pause, too', t => {
  const trial = new Trial({ leastWriteRate: 5 * MIB })
  trial.write(MIB / 10, 100)
  t.is(trial.throttle.pauseUntil(), trial.now + 15_000)
  t.is(trial.throttle.why, 'image')
})

test('exactly the least rate is enough', t => {
  const trial = new Trial({ leastReadRate: 10 * MIB })
  trial.read(MIB, 100)
  t.is(trial.throttle.why, null)
})

test('after a pause the averages start anew', t => {
  const trial = new Trial({})
  trial.write(20 * MIB, 100)
  trial.read(1, 90)
  trial.read(1, 100)
  t.is(trial.throttle.why, 'base')
  trial.now = trial.throttle.pauseUntil()
  t.deepEqual([trial.throttle.readRate, trial.throttle.writeRate], [0, 0])
  trial.read(MIB, 100)
  t.is(trial.throttle.readRate, 10 * MIB)
  t.is(trial.throttle.why, null)
})

test('what ends in a pause neither makes it longer nor is counted afterwards', t => {
  const trial = new Trial({})
  trial.throttle.beginRead()
  trial.throttle.beginRead()
  trial.now += 200
  trial.throttle.endRead(1)
  const until = trial.throttle.pauseUntil()
  t.is(until, trial.now + 15_000)
  trial.now += 1000
  trial.throttle.endRead(1)
  t.is(trial.throttle.pauseUntil(), until)
  trial.now = until
  trial.read(MIB, 100)
  t.is(trial.throttle.readRate, 10 * MIB)
})

test('what began before the end of a pause counts from there only', t => {
  const trial = new Trial({})
  trial.throttle.beginRead()
  trial.read(1, 200)
  trial.now = trial.throttle.pauseUntil()
  t.is(trial.throttle.why, null)
  trial.now += 100
  trial.throttle.endRead(MIB)
  t.is(trial.throttle.readRate, 10 * MIB)
})

test('a least rate of 0 never pauses, and a pause of no time only starts the averages anew', t => {
  const never = new Trial(UNPAUSED)
  never.read(0, 60_000)
  never.write(0, 60_000)
  t.is(never.throttle.why, null)
  const short = new Trial({ pauseTime: 0 })
  short.read(1, 100)
  t.deepEqual([short.throttle.pauseUntil(), short.throttle.why, short.throttle.readRate], [0, null, 0])
})

test('whatever happens, every pause ends within the time that is set', t => {
  const step = fc.record({
    time: fc.nat(1000),
    bytes: fc.nat(2 * MIB),
    write: fc.boolean(),
    chance: fc.nat(99),
  })
  holds(
    t,
    fc.property(fc.array(step), fc.nat(40_000), (steps, pauseTime) => {
      const trial = new Trial({ pauseTime })
      for (const { time, bytes, write, chance } of steps) {
        trial.chance = chance / 100
        if (write) trial.write(bytes, time)
        else trial.read(bytes, time)
        const until = trial.throttle.pauseUntil()
        if (until !== 0 && !(until > trial.now && until <= trial.now + pauseTime)) return false
      }
      trial.now += pauseTime
      return trial.throttle.pauseUntil() === 0
    }),
  )
})

// Threads

test('two threads share one limit', async t => {
  const memory = Throttle.allocate()
  const settings = { ...DEFAULT_COPY_SETTINGS, ...UNPAUSED, mostReadRate: MIB }
  const rounds = 500
  const piece = 1000
  const workerData: ThrottleTask = { memory, settings, rounds, piece }
  const start = monotonicTime()
  const workers = [1, 2].map(
    () => new Worker(new URL('./throttle-worker.js', import.meta.url), { workerData }),
  )
  const ends = workers.map(worker => once(worker, 'exit'))
  const delays = await Promise.all(
    workers.map(async worker => (await once(worker, 'message'))[0] as number[]),
  )
  await Promise.all(ends)
  const throttle = new Throttle(memory, settings)
  // Each byte was taken once: the next one waits until all that were taken have flowed.
  const flowed = throttle.delayBefore(0) + monotonicTime() - start
  t.true(flowed >= (2 * rounds * piece * 1000) / MIB - 31, `${flowed}`)
  // No two pieces were given the same time, on a clock that both threads share.
  const begins = delays.flat().sort((a, b) => a - b)
  t.true(begins.length > rounds)
  for (let n = 1; n < begins.length; n++) t.true(begins[n]! - begins[n - 1]! > 0.9 * ((piece * 1000) / MIB))
})
