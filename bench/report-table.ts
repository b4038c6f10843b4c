import type { Comparison } from './comparisons.js'
import { LABELS } from './contenders/contender.js'
import { figures, judge, type Results, speedup, type WorkloadResult, workloadsOf } from './results.js'
import type { Summary } from './statistics.js'

/** The results as tables: of text for a terminal, of Markdown for the documentation. */

const NOTHING = '–'
const TARGET = 'target'

export type Row = readonly string[]

/** Of each workload: the median of each contender, the ratios that are in question, and what is aimed at. */
export function summaryRows(results: Results, comparison: Comparison): Row[] {
  const { columns, ratios } = comparison
  const head = ['workload', '', ...columns.map(id => LABELS[id]), ...ratios.map(({ title }) => title), TARGET]
  const rows = workloadsOf(results, comparison).map(result => [
    result.title,
    result.unit,
    ...columns.map(id => cell(figures(result, id), ({ median }) => number(median))),
    ...ratios.map(({ of, to }) => cell(speedup(result, of, to), summary => times(summary))),
    targetCell(result),
  ])
  return [head, ...rows]
}

/** Least and most of all rounds. */
export function spreadRows(results: Results, comparison: Comparison): Row[] {
  const { columns } = comparison
  const head = ['least to most', '', ...columns.map(id => LABELS[id])]
  const rows = workloadsOf(results, comparison).map(result => [
    result.title,
    result.unit,
    ...columns.map(id =>
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

/**
 * "3.1 (2.8 to 3.3)": of the medians, and of single rounds. With two digits where the second decides: near 1, where two
 * are to be equally fast.
 */
function times({ median, min, max }: Summary): string {
  const digits = median < 1.5 ? 2 : 1
  return `${median.toFixed(digits)} (${min.toFixed(digits)} to ${max.toFixed(digits)})`
}

/** Three digits that mean something: 0.42, 7.1, 152, 15,300. */
export function number(value: number): string {
  if (value < 10) return value.toFixed(value < 1 ? 2 : 1)
  const scale = value < 1000 ? 1 : 10 ** (Math.floor(Math.log10(value)) - 2)
  return (Math.round(value / scale) * scale).toLocaleString('en-US')
}

/** Words to the left, figures to the right. */
export function textTable(rows: readonly Row[]): string {
  const head = rows[0]!
  const widths = head.map((_, column) => Math.max(...rows.map(row => row[column]!.length)))
  return rows
    .map(row =>
      row
        .map((text, column) =>
          isWords(column, head) ? text.padEnd(widths[column]!) : text.padStart(widths[column]!),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

export function markdownTable(rows: readonly Row[]): string {
  const [head = [], ...body] = rows
  const rule = head.map((_, column) => (isWords(column, head) ? '---' : '---:'))
  return [head, rule, ...body].map(row => `| ${row.join(' | ')} |`).join('\n')
}

function isWords(column: number, head: Row): boolean {
  return column < 2 || head[column] === TARGET
}
