import type { Table } from '../copying/report.js'
import { markdownTable, number, type Row } from '../report-table.js'
import { ratio, summarize } from '../statistics.js'
import { CONTESTS, type ContestId } from './contests.js'
import type { ManyImages, Seconds, ToolboxResults } from './results.js'

/** What was found out about the commands that go through whole disks, as tables. */

/** At least as fast as qemu-img. */
const WANTED = 1

export function toolboxTables(results: ToolboxResults): readonly Table[] {
  const { many } = results
  return [...contestTables(results), ...(many === null ? [] : [manyTable(many)])]
}

function contestTables({ disk, memory, size }: ToolboxResults): readonly Table[] {
  const what = `A disk of ${number(size / 2 ** 30)} GiB, every other 8 MiB of it a hole, in the page cache`
  return [
    {
      title: 'Whole disks, on the machine’s disk',
      note: `${what}; new files are durable in the measured time.`,
      seconds: disk,
    },
    { title: 'Whole disks, in memory', note: `${what}; all files in memory (tmpfs).`, seconds: memory },
  ].flatMap(({ title, note, seconds }) => (seconds === null ? [] : [{ title, note, rows: rowsOf(seconds) }]))
}

/** Seconds, and MiB. */
const MANY_WANTED = [3, 300] as const

function manyTable({ count, seconds, mebibytes }: ManyImages): Table {
  const row = (what: string, unit: string, values: readonly number[], wanted: number): Row => {
    const met = Math.max(...values) < wanted ? 'met' : 'short'
    return [what, unit, spread(values), `< ${wanted}: ${met}`]
  }
  return {
    title: `${count} images in one mount`,
    note: `QED and FVD in turn, disks of 20 GiB; the memory is the daemon's when each disk has been read and written, in 16 places.`,
    rows: [
      ['what', '', 'rawmount', 'target'],
      row('until the command returns', 's', seconds, MANY_WANTED[0]),
      row('resident memory', 'MiB', mebibytes, MANY_WANTED[1]),
    ],
  }
}

function rowsOf(seconds: Seconds): Row[] {
  const head = ['what', '', 'rawmount', 'qemu-img', 'rawmount / qemu-img', 'target']
  const rows = CONTESTS.filter(({ id }) => seconds[id] !== undefined).map(({ id, title }) => [
    title,
    's',
    ...figures(seconds, id),
  ])
  return [head, ...rows]
}

function figures(seconds: Seconds, id: ContestId): string[] {
  const { rawmount, 'qemu-img': qemu } = seconds[id]!
  // How many times as fast: the other's time by ours.
  const speed = ratio(qemu, rawmount)
  const met = speed.median >= WANTED ? 'met' : 'short'
  return [
    spread(rawmount),
    spread(qemu),
    `${speed.median.toFixed(2)} (${speed.min.toFixed(2)} to ${speed.max.toFixed(2)})`,
    `≥ ${WANTED} × qemu-img: ${met}`,
  ]
}

function spread(values: readonly number[]): string {
  const { median, min, max } = summarize(values)
  return min === max ? number(median) : `${number(median)} (${number(min)} to ${number(max)})`
}

export function toolboxMarkdown(results: ToolboxResults): string {
  return toolboxTables(results)
    .flatMap(({ title, note, rows }) => [`### ${title}`, '', note, '', markdownTable(rows), ''])
    .join('\n')
}
