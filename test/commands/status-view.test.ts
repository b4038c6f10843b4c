import test from 'ava'
import { StatusRates } from '../../src/commands/display/status-rates.js'
import { statusJson, statusLine, statusView } from '../../src/commands/display/status-view.js'
import type { MountStatus } from '../../src/mount/status/status.js'

const MiB = 1024 * 1024
const GiB = 1024 * MiB

const STATUS: MountStatus = {
  pid: 4711,
  image: '/srv/vm.fvd',
  mountpoint: '/mnt/vm',
  transport: 'kernel',
  threads: 2,
  cache: 'writeback',
  readOnly: false,
  overlay: null,
  mounted: new Date().toISOString(),
  format: 'fvd',
  virtualSize: 20 * GiB,
  chain: [
    { filename: '/srv/vm.fvd', format: 'fvd', virtualSize: 20 * GiB, backingFile: 'base.qcow2' },
    { filename: '/srv/base.qcow2', format: 'qcow2', virtualSize: 20 * GiB },
  ],
  requests: { reads: 1000, writes: 500, syncs: 20, others: 80 },
  bytes: { read: 100 * MiB, written: 50 * MiB },
  errors: 0,
  latency: {
    read: { p50: 16, p99: 128 },
    write: { p50: 32, p99: 4096 },
    sync: { p50: 0, p99: 0 },
    other: { p50: 8, p99: 16 },
  },
  metadata: { pending: 3, commits: 9 },
  prefetch: { state: 'running', reason: null, copied: GiB, readRate: 0, writeRate: 0, requests: 1024 },
  copyOnRead: { on: true, copied: 100 * MiB, skipped: MiB, queued: 4096 },
  base: { remaining: 15 * GiB, total: 20 * GiB, read: GiB, requests: 1200, errors: 1 },
  baseWrites: null,
}

/** Two seconds later: 100 requests, 30 MiB fetched. */
const LATER: MountStatus = {
  ...STATUS,
  requests: { ...STATUS.requests, reads: 1100 },
  bytes: { ...STATUS.bytes, read: 110 * MiB },
  base: { ...STATUS.base!, remaining: 15 * GiB - 30 * MiB, read: GiB + 40 * MiB },
}

function sample(status = LATER) {
  const rates = new StatusRates()
  rates.add(1000, STATUS)
  return rates.add(3000, status)
}

test('rates are what the counters did between two looks', t => {
  const { rates, secondsLeft } = sample()
  t.deepEqual(rates, { requests: 50, read: 5 * MiB, written: 0, base: 20 * MiB })
  t.is(Math.round(secondsLeft!), Math.round((15 * 1024 - 30) / 15))
})

test('the view shows what is served, how fast, and how far the image is filled', t => {
  t.deepEqual(
    statusView(sample(), 80).map(line => line.replace(/\d+ s ago/, 'N s ago')),
    [
      'image           /srv/vm.fvd (fvd, 20 GiB)',
      'base            /srv/base.qcow2 (qcow2)',
      'mounted on      /mnt/vm, N s ago',
      'served by       process 4711: kernel, 2 threads, cache writeback',
      '',
      'requests        50/s          1100 reads, 500 writes, 20 flushes, no errors',
      'latency         half below    read 16 µs, write 32 µs',
      '                99% below     read 128 µs, write 4 ms',
      'read            5 MiB/s       110 MiB',
      'written         0 B/s         50 MiB; 9 commits, 3 changes of tables to come',
      '',
      'in the image    [=======>                          ]  25%  5.03 GiB of 20 GiB',
      'still in base   15 GiB, 17 min 2 s left',
      'from base       20 MiB/s      1.04 GiB; 1 error',
      'prefetch        running       1 GiB copied',
      'copy-on-read    on            100 MiB copied, 1 MiB not kept, 4 KiB waiting',
    ],
  )
})

test('the view fits into a terminal of 80 columns, and of 60', t => {
  for (const line of statusView(sample(), 80)) t.true(line.length < 80, line)
  for (const line of statusView(sample(), 60).filter(line => line.includes('[')))
    t.true(line.length < 60, line)
})

test('the view says why prefetching pauses', t => {
  const paused = { ...LATER, prefetch: { ...LATER.prefetch, state: 'paused', reason: 'EIO\x1b[2J' } } as const
  const lines = statusView(sample(paused), 80)
  t.is(lines[lines.findIndex(line => line.startsWith('prefetch')) + 1], '                (EIO\\x1b[2J)')
  t.true(lines.includes('still in base   15 GiB'))
  t.true(
    statusLine(sample(paused), new Date()).endsWith('prefetch paused, 25%, 20 MiB/s from base, EIO\\x1b[2J'),
  )
})

test('the view of a mount that copies nothing has nothing of copying, and a read-only one nothing of writing', t => {
  const plain = { ...LATER, base: null, chain: [LATER.chain[0]!], readOnly: true }
  t.deepEqual(
    statusView(sample(plain), 80).map(line => line.slice(0, 14).trim()),
    ['image', 'mounted on', 'served by', '', 'requests', 'latency', '', 'read'],
  )
})

test('while the base is being looked through, nothing is said to be there or not', t => {
  const counting = { ...LATER, base: { ...LATER.base!, remaining: null } }
  const lines = statusView(sample(counting), 80)
  t.true(lines.includes('in the image    ? of 20 GiB'))
  t.true(lines.includes('still in base   is being counted'))
  t.is(sample(counting).secondsLeft, null)
})

test('a line of the log has the rates and how far it is', t => {
  t.is(
    statusLine(sample(), new Date(2026, 0, 1, 10, 34, 31)),
    '10:34:31  50 requests/s, 5 MiB/s read, 0 B/s written, prefetch running, 25%, 20 MiB/s from base, 17 min 2 s left',
  )
})

test('for programs there is the status with the rates', t => {
  t.deepEqual(statusJson(sample()), {
    ...LATER,
    rates: { requests: 50, read: 5 * MiB, written: 0, base: 20 * MiB },
    secondsLeft: 1022,
  })
})

test('writes to the base are shown with what it has not got yet, and why', t => {
  const line = (behind: number, errno: number) =>
    statusView(sample({ ...LATER, baseWrites: { mode: 'writeback', behind, errno } }), 80).find(text =>
      text.startsWith('write base'),
    )
  t.is(line(0, 0), 'write base      writeback     the base has everything')
  t.regex(line(3 * MiB, 28)!, /^write base {6}writeback {5}3 MiB to come; it fails: no space left on device/)
})
