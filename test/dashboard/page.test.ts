import test from 'ava'

/** Parts of the page that need no browser: they are sent as they are in the source. */
const page = new URL('../../../src/dashboard/page/', import.meta.url)

interface Histogram {
  readonly bounds: readonly (number | null)[]
  readonly counts: readonly number[]
}

async function load<T>(name: string): Promise<T> {
  return (await import(new URL(name, page).href)) as T
}

test('the time that most requests took is found between two looks, not since the mount', async t => {
  const { quantile } = await load<{
    quantile(before: Histogram, after: Histogram, share: number): number | null
  }>('latency.js')
  const bounds = [0.001, 0.002, 0.004, null]
  const before = { bounds, counts: [1000, 1000, 1000, 1000] }
  t.is(quantile(before, before, 0.5), null)
  t.is(quantile(before, { bounds, counts: [1000, 1010, 1010, 1010] }, 0.5), 0.0015)
  t.is(quantile(before, { bounds, counts: [1098, 1098, 1100, 1100] }, 0.99), 0.003)
  // Above the last bound nobody knows how far.
  t.is(quantile(before, { bounds, counts: [1000, 1000, 1000, 1010] }, 0.5), 0.004)
  t.is(quantile({ bounds: [], counts: [] }, before, 0.5), null)
})

test('figures have units that people read', async t => {
  const { rate, shortTime, duration, percent, baseName } =
    await load<Record<string, (...values: unknown[]) => string>>('text.js')
  t.deepEqual([0, 1_234_567, 250e6, 3.2e9].map(rate!), ['0.0 MB/s', '1.2 MB/s', '250 MB/s', '3.20 GB/s'])
  t.deepEqual([0.000085, 0.0012, 0.25, 3].map(shortTime!), ['85 µs', '1.2 ms', '250 ms', '3 s'])
  t.deepEqual([59, 61, 3700, 90_000].map(duration!), ['59 s', '1 min 1 s', '1 h 1 min', '1 d 1 h'])
  t.deepEqual([percent!(1, 1e6), percent!(1, 3), percent!(999_999, 1e6)], ['< 0.1 %', '33.3 %', '> 99.9 %'])
  t.is(baseName!('/vm/a.qed'), 'a.qed')
})
