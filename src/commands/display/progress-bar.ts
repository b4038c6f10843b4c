import { humanDuration } from './human-duration.js'
import { humanSize } from './human-size.js'

export interface Progress {
  /** Bytes. */
  readonly done: number
  readonly total: number
  /** Bytes per second. */
  readonly rate: number
  readonly secondsLeft: number | null
}

/** Fewer columns than this are no bar. */
const SHORTEST = 10
const LONGEST = 50
const GAP = '  '

/**
 * "[=====>    ]  45%  9.12 GiB of 20 GiB   102 MiB/s  2 min 5 s left", in fewer than `columns` columns: what does not fit
 * is left out, from the right. Numbers keep their places while they change.
 */
export function progressLine({ done, total, rate, secondsLeft }: Progress, columns: number): string {
  const words = [
    percent(done, total),
    `${humanSize(done).padStart(8)} of ${humanSize(total)}`,
    `${humanSize(Math.round(rate))}/s`.padStart(10),
    secondsLeft === null ? ''.padEnd(16) : `${humanDuration(secondsLeft)} left`.padEnd(16),
  ]
  // The last column stays free: some terminals break the line when it is used.
  const room = columns - 1
  while (words.length > 1 && words.join(GAP).length + GAP.length + SHORTEST + 2 > room) words.pop()
  const text = words.join(GAP)
  const width = Math.min(LONGEST, room - text.length - GAP.length - 2)
  return (width < SHORTEST ? text : `${bar(done, total, width)}${GAP}${text}`).slice(0, room).trimEnd()
}

/** "[====>    ]", of `width` + 2 columns. */
export function bar(done: number, total: number, width: number): string {
  const filled = Math.floor(share(done, total) * width)
  const head = filled > 0 && filled < width ? `${'='.repeat(filled - 1)}>` : '='.repeat(filled)
  return `[${head.padEnd(width)}]`
}

/** " 45%"; 100% is all of it, and no less. */
export function percent(done: number, total: number): string {
  return `${Math.floor(share(done, total) * 100)}%`.padStart(4)
}

function share(done: number, total: number): number {
  return total === 0 ? 1 : Math.min(1, Math.max(0, done / total))
}
