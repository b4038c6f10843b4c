import { type ContenderId, LABELS } from './contenders/contender.js'
import { figures, judge, type Results, speedup, type WorkloadResult } from './results.js'
import type { Summary } from './statistics.js'

/** The results as tables: of text for a terminal, of Markdown for the documentation. */

const COLUMNS: readonly ContenderId[] = ['raw', 'bare', 'qemu', 'rawmount', 'libfuse']
const NOTHING = '–'

export type Row = readonly string[]

/** Of each workload: the median of each contender, the ratios to QEMU, and what is aimed at. */
export function summaryRows({ workloads }: Results): Row[] {
  const head = ['workload', '', ...COLUMNS.map(id => LABELS[id]), '× QEMU', 'libfuse × QEMU', 'target']
  return [head, ...workloads.map(summaryRow)]
}

function summaryRow(result: WorkloadResult): Row {
  return [
    result.title,
    result.unit,
    ...COLUMNS.map(id => cell(figures(result, id), ({ median }) => number(median))),
    cell(speedup(result, 'rawmount'), times),
    cell(speedup(result, 'libfuse'), times),
    targetCell(result),
  ]
}

/** Least and most of all rounds. */
export function spreadRows({ workloads }: Results): Row[] {
  const head = ['least to most', '', ...COLUMNS.map(id => LABELS[id])]
  const rows = workloads.map(result => [
    result.title,
    result.unit,
    ...COLUMNS.map(id =>
      cell(figures(result, id), ({ min, max }) =>
        min === max ? number(min) : `${number(min)} to ${number(max)}`,
      ),
    ),
  ])
  return [head, ...rows]
}

function targetCell(result: WorkloadResult): string {
  const verdicts = result.targets.map(target => judge(result, target)).filter(verdict => verdict !== null)
  if (verdicts.length === 0) return NOTHING
  return verdicts
    .map(
      ({ wanted, met, measured }) =>
        `${wanted}: ${[measured, met ? 'met' : 'short'].filter(Boolean).join(', ')}`,
    )
    .join('; ')
}

function cell(summary: Summary | null, show: (summary: Summary) => string): string {
  return summary === null ? NOTHING : show(summary)
}

/** "3.1 (2.8 to 3.3)": of the medians, and of single rounds. */
function times({ median, min, max }: Summary): string {
  return `${median.toFixed(1)} (${min.toFixed(1)} to ${max.toFixed(1)})`
}

/** Three digits that mean something: 0.42, 7.1, 152, 15,300. */
export function number(value: number): string {
  if (value < 10) return value.toFixed(value < 1 ? 2 : 1)
  const scale = value < 1000 ? 1 : 10 ** (Math.floor(Math.log10(value)) - 2)
  return (Math.round(value / scale) * scale).toLocaleString('en-US')
}

/** Words to the left, figures to the right; the last column, of targets, is words too. */
export function textTable(rows: readonly Row[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map(row => row[column]!.length)))
  return rows
    .map(row =>
      row
        .map((text, column) =>
          isWords(column, row.length) ? text.padEnd(widths[column]!) : text.padStart(widths[column]!),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

export function markdownTable(rows: readonly Row[]): string {
  const [head = [], ...body] = rows
  const rule = head.map((_, column) => (isWords(column, head.length) ? '---' : '---:'))
  return [head, rule, ...body].map(row => `| ${row.join(' | ')} |`).join('\n')
}

function isWords(column: number, columns: number): boolean {
  return column < 2 || (column === columns - 1 && columns > 2 + COLUMNS.length)
}
