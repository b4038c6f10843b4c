import type { BootRun } from '../../../../bench/copying/boot.js'
import type { GuestRound } from '../../../../bench/copying/guest-reads.js'
import type { CopyingResults, RunFigures } from '../../../../bench/copying/results.js'

export const MiB = 2 ** 20

function figures(duration: number, base: number, complete: number | null = null): RunFigures {
  return { firstByte: 300, duration, p99: 7, baseUntilBooted: base, base, complete }
}

/** A read each 100 ms, and an image that grows to `stored` in the time. */
export function bootRun(count: number, stored: number, complete: number | null = null): BootRun {
  return {
    firstByte: 300,
    duration: count * 100,
    baseUntilBooted: stored,
    base: stored,
    complete,
    reads: Array.from({ length: count }, (_, index) => ({
      at: 400 + index * 100,
      took: index % 2 ? 3 : 0.1,
    })),
    growth: [
      { at: 0, stored: 0 },
      { at: 300, stored: 0 },
      { at: 600, stored: stored / 2 },
      { at: count * 100, stored },
    ],
  }
}

export function guestRound(p99: number): GuestRound {
  const reads = { p50: p99 / 2, p99, count: 1000, baseRate: 20e6 }
  return { image: reads, base: reads }
}

export const copying: CopyingResults = {
  rounds: 3,
  size: 64 * MiB,
  movedSize: 128 * MiB,
  speed: { rate: 100e6, latency: 2 },
  boot: {
    reads: 20,
    touched: 10e6,
    think: 1300,
    fillers: {
      nothing: {
        first: [figures(4000, 90e6), figures(5000, 90e6), figures(4500, 90e6)],
        second: [figures(4000, 90e6), figures(4000, 90e6), figures(4000, 90e6)],
      },
      prefetch: { first: [figures(4200, 536e6, 9000)], second: [figures(1500, 0)] },
    },
    timelines: {
      nothing: [bootRun(20, 0), bootRun(20, 0)],
      prefetch: [bootRun(20, 64 * MiB, 3500), bootRun(15, 0)],
    },
  },
  guest: {
    'copy-on-read': [guestRound(2), guestRound(2), guestRound(2)],
    prefetch: [guestRound(3), guestRound(5), guestRound(3.5)],
  },
  throughput: { cp: [500e6, 400e6], prefetch: [450e6, 300e6], 'qemu-stream': [] },
  rates: [
    { limit: 10e6, measured: [10.5e6, 9.5e6] },
    { limit: 50e6, measured: [50e6, 42e6] },
  ],
}
