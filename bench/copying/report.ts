import { markdownTable, number, type Row } from '../report-table.js'
import { median, ratio, type Summary, summarize } from '../statistics.js'
import type { FillerId } from './filler.js'
import { FILLERS } from './fillers.js'
import type { GuestReads, GuestRound } from './guest-reads.js'
import type { BootFigures, CopyingResults, RunFigures } from './results.js'
import { MOVER_IDS, MOVERS } from './throughput.js'

/** What was found out about copying, as tables. */

const NOTHING = '–'
const TARGET = 'target'

/** p99 of guest reads while all is fetched: at most so many times as long as when nothing is. */
const MOST_SLOWER = 2
/** Of the speed of cp. */
const LEAST_THROUGHPUT = 0.8
/** Share by which a limit may be missed. */
const RATE_ERROR = 0.1

export interface Table {
  readonly title: string
  /** A sentence below the title. */
  readonly note: string
  readonly rows: readonly Row[]
}

export function copyingTables(results: CopyingResults): readonly Table[] {
  return [bootTable(results), guestTable(results), throughputTable(results), rateTable(results)].filter(
    table => table !== null,
  )
}

interface BootRow {
  readonly title: string
  readonly unit: string
  figure(run: RunFigures): number | null
  readonly of: keyof BootFigures
}

const BOOT_ROWS: readonly BootRow[] = [
  { title: 'first byte after the mount began', unit: 'ms', of: 'first', figure: run => run.firstByte },
  { title: 'first boot', unit: 's', of: 'first', figure: run => run.duration / 1000 },
  { title: 'second boot', unit: 's', of: 'second', figure: run => run.duration / 1000 },
  { title: 'p99 of the reads, first', unit: 'ms', of: 'first', figure: run => run.p99 },
  { title: 'p99 of the reads, second', unit: 'ms', of: 'second', figure: run => run.p99 },
  {
    title: 'read from the base, first boot',
    unit: 'MB',
    of: 'first',
    figure: run => run.baseUntilBooted / 1e6,
  },
  { title: 'the same, until unmounted', unit: 'MB', of: 'first', figure: run => run.base / 1e6 },
  { title: 'read from the base, second', unit: 'MB', of: 'second', figure: run => run.base / 1e6 },
  {
    title: 'all in the image after',
    unit: 's',
    of: 'first',
    figure: ({ complete }) => complete && complete / 1000,
  },
]

function bootTable({ boot, size, speed, rounds }: CopyingResults): Table | null {
  if (boot === null) return null
  const measured = FILLERS.filter(({ id }) => (boot.fillers[id]?.first.length ?? 0) > 0)
  const head = ['a boot', '', ...measured.map(({ label }) => label)]
  const rows = BOOT_ROWS.map(({ title, unit, of, figure }) => [
    title,
    unit,
    ...measured.map(({ id }) => {
      const values = boot.fillers[id]![of].map(figure)
      return values.includes(null) ? NOTHING : spread(summarize(values as number[]))
    }),
  ])
  const rate = `${number((speed.rate ?? 0) / 1e6)} MB/s`
  const work = `${boot.reads} reads, which touch ${megabytes(boot.touched)} MB, and ${seconds(boot.think)} s of work between them`
  return {
    title: 'A boot from a slow base',
    note: `${work}; twice from an image that was new the first time, over a base of ${size / 2 ** 20} MiB that gives ${rate} with ${speed.latency} ms of latency. Shown are medians, with the least and most of ${rounds} ${rounds === 1 ? 'round' : 'rounds'}.`,
    rows: [head, ...rows],
  }
}

/** Each that fetches, and its like that does not. */
const PAIRS: readonly (readonly [FillerId, FillerId])[] = [
  ['prefetch', 'copy-on-read'],
  ['qemu-stream', 'qemu-copy-on-read'],
]

function guestTable({ guest }: CopyingResults): Table | null {
  if (guest === null) return null
  const head = [
    'random 4 KiB reads, depth 1',
    'of what is',
    'p50, ms',
    'p50, fetching',
    'p99, ms',
    'p99, fetching',
    'times',
    'fetched meanwhile, MB/s',
    TARGET,
  ]
  const rows = PAIRS.flatMap(([fetching, quiet]) =>
    (['image', 'base'] as const).flatMap(where => guestRow(guest, { fetching, quiet, where })),
  )
  return {
    title: 'Reads of a guest while all is fetched',
    note: 'Beside the same image where nothing is fetched. "Fetched" is all that was read of the base, in which the reads of what is there have their part.',
    rows: [head, ...rows],
  }
}

function guestRow(
  guest: NonNullable<CopyingResults['guest']>,
  { fetching, quiet, where }: { fetching: FillerId; quiet: FillerId; where: keyof GuestRound },
): Row[] {
  const [busy, still] = [guest[fetching], guest[quiet]]
  if (busy === undefined || still === undefined) return []
  const of = (rounds: readonly GuestRound[], figure: (reads: GuestReads) => number) =>
    rounds.map(round => figure(round[where]))
  const slower = ratio(
    of(busy, reads => reads.p99),
    of(still, reads => reads.p99),
  )
  const isOurs = fetching === 'prefetch'
  return [
    [
      isOurs ? 'rawmount' : 'QEMU, block-stream',
      where === 'image' ? 'in the image' : 'in the base',
      number(median(of(still, reads => reads.p50))),
      number(median(of(busy, reads => reads.p50))),
      number(median(of(still, reads => reads.p99))),
      number(median(of(busy, reads => reads.p99))),
      spread(slower),
      number(median(of(busy, reads => reads.baseRate)) / 1e6),
      isOurs ? verdict(`p99 ≤ ${MOST_SLOWER} ×`, slower.median <= MOST_SLOWER) : NOTHING,
    ],
  ]
}

function throughputTable({ throughput, movedSize }: CopyingResults): Table | null {
  if (throughput === null) return null
  const rows = MOVER_IDS.filter(id => throughput[id].length > 0).map((id): Row => {
    const times = ratio(throughput[id], throughput.cp)
    return [
      MOVERS[id].label,
      'MB/s',
      spread(summarize(throughput[id].map(rate => rate / 1e6))),
      id === 'cp' ? NOTHING : spread(times),
      id === 'prefetch' ? verdict(`≥ ${LEAST_THROUGHPUT} × cp`, times.median >= LEAST_THROUGHPUT) : NOTHING,
    ]
  })
  return {
    title: 'All of a base at once',
    note: `${movedSize / 2 ** 20} MiB from the page cache to a new file or image on the same file system, from the start of the command until it has ended and a sync of the file has, too.`,
    rows: [['to a new file', '', 'MB/s', '× cp', TARGET], ...rows],
  }
}

function rateTable({ rates }: CopyingResults): Table | null {
  if (rates === null) return null
  const rows = rates
    .filter(({ measured }) => measured.length > 0)
    .map(({ limit, measured }): Row => {
      const worst = Math.max(...measured.map(rate => Math.abs(rate / limit - 1)))
      return [
        `--prefetch-rate=${limit}`,
        'MB/s',
        spread(summarize(measured.map(rate => rate / 1e6))),
        `${(worst * 100).toFixed(1)} %`,
        verdict(`within ${RATE_ERROR * 100} %`, worst <= RATE_ERROR),
      ]
    })
  return {
    title: 'A limited rate',
    note: 'Counted at a base that would give more.',
    rows: [['limit', '', 'measured', 'furthest off', TARGET], ...rows],
  }
}

export function copyingMarkdown(results: CopyingResults): string {
  return copyingTables(results)
    .map(({ title, note, rows }) => `### ${title}\n\n${note}\n\n${markdownTable(rows)}\n`)
    .join('\n')
}

function verdict(wanted: string, met: boolean): string {
  return `${wanted}: ${met ? 'met' : 'short'}`
}

function spread({ median, min, max }: Summary): string {
  return min === max ? number(median) : `${number(median)} (${number(min)} to ${number(max)})`
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(0)
}

function seconds(milliseconds: number): string {
  return (milliseconds / 1000).toFixed(1)
}
