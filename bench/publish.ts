import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { copyingMarkdown } from './copying/report.js'
import type { CopyingResults } from './copying/results.js'
import { TIMELINE_TITLE, timelineChart } from './copying/timeline-svg.js'
import { type Machine, machineLine, versionsLine } from './machine.js'
import { chart } from './report-svg.js'
import { markdownTable, spreadRows, summaryRows } from './report-table.js'
import { comparisonsOf, type Results } from './results.js'
import { toolboxMarkdown } from './toolbox/report.js'
import type { ToolboxResults } from './toolbox/results.js'

const ROOT = new URL('../../', import.meta.url)
const BEGIN = '<!-- measured: npm run bench -- --docs writes what follows -->'
const END = '<!-- end of what was measured -->'
const COPYING_BEGIN = '<!-- measured: npm run bench -- --only copying --docs writes what follows -->'
const TOOLBOX_BEGIN = '<!-- measured: npm run bench -- --only toolbox --docs writes what follows -->'
const TOOLBOX_END = '<!-- end of what was measured of the toolbox -->'
const COPYING_END = '<!-- end of what was measured of copying -->'

/** Writes bench/results/DATE.json and the charts; returns their paths. */
export async function writeResults(results: Results): Promise<string[]> {
  const directory = new URL('bench/results/', ROOT)
  await mkdir(directory, { recursive: true })
  const name = results.date.slice(0, 19).replaceAll(':', '-')
  const json = new URL(`${name}.json`, directory)
  await writeFile(json, `${JSON.stringify(results, null, 2)}\n`)
  const charts = await writeCharts(results, new URL(name, directory))
  return [fileURLToPath(json), ...charts]
}

/** Puts what was measured into docs/performance.md, between its marks, and the charts beside it. */
export async function writeDocs(results: Results): Promise<void> {
  const { workloads, copying, toolbox } = results
  if (workloads.length > 0) await replaceBetween(BEGIN, END, section(results))
  if (copying !== null) await replaceBetween(COPYING_BEGIN, COPYING_END, copyingSection(results, copying))
  if (toolbox !== null) await replaceBetween(TOOLBOX_BEGIN, TOOLBOX_END, toolboxSection(results, toolbox))
  await writeCharts(results, new URL('docs/performance', ROOT))
}

async function replaceBetween(begin: string, end: string, section: string): Promise<void> {
  const page = new URL('docs/performance.md', ROOT)
  const text = await readFile(page, 'utf8')
  const [from, to] = [text.indexOf(begin), text.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`${fileURLToPath(page)}: has not the lines "${begin}", "${end}"`)
  await writeFile(page, `${text.slice(0, from)}${begin}\n\n${section}\n${text.slice(to)}`)
}

/** One for each comparison, and one of copying: NAME-qed.svg and so on. */
async function writeCharts(results: Results, name: URL): Promise<string[]> {
  const paths: string[] = []
  for (const comparison of comparisonsOf(results)) {
    const path = fileURLToPath(`${name}-${comparison.id}.svg`)
    await writeFile(path, chart(results, comparison))
    paths.push(path)
  }
  const timeline = results.copying && timelineChart(results.copying, results.machine)
  if (timeline !== null) {
    const path = fileURLToPath(`${name}-copying.svg`)
    await writeFile(path, timeline)
    paths.push(path)
  }
  return paths
}

function copyingSection({ date, machine }: Results, copying: CopyingResults): string {
  return [
    ...measuredOn(date, machine, roundsOf(copying)),
    ...(copying.boot === null ? [] : [`![Dots: ${TIMELINE_TITLE}](performance-copying.svg)`, '']),
    copyingMarkdown(copying),
  ].join('\n')
}

function toolboxSection({ date, machine }: Results, toolbox: ToolboxResults): string {
  return [...measuredOn(date, machine, roundsOf(toolbox)), toolboxMarkdown(toolbox)].join('\n')
}

function roundsOf({ rounds }: { readonly rounds: number }): string {
  return `${rounds} ${rounds === 1 ? 'round' : 'rounds'}`
}

function measuredOn(date: string, machine: Machine, how: string): string[] {
  return [
    `Measured on ${date.slice(0, 10)}: ${how}; load average at the start ${machine.loadAtStart.toFixed(1)}.`,
    '',
    `- ${machineLine(machine)}`,
    `- ${versionsLine(machine)}`,
    '',
  ]
}

function section(results: Results): string {
  const { date, machine, rounds, seconds, size } = results
  return [
    ...measuredOn(date, machine, `${rounds} rounds of ${seconds} s, images of ${size / 2 ** 20} MiB`),
    ...comparisonsOf(results).flatMap(comparison => [
      `### ${comparison.title}`,
      '',
      `![Bars: ${comparison.chart.title}](performance-${comparison.id}.svg)`,
      '',
      markdownTable(summaryRows(results, comparison)),
      '',
      'Between the rounds:',
      '',
      markdownTable(spreadRows(results, comparison)),
      '',
    ]),
  ].join('\n')
}
