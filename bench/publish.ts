import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { machineLine, versionsLine } from './machine.js'
import { chart } from './report-svg.js'
import { markdownTable, spreadRows, summaryRows } from './report-table.js'
import { comparisonsOf, type Results } from './results.js'

const ROOT = new URL('../../', import.meta.url)
const BEGIN = '<!-- measured: npm run bench -- --docs writes what follows -->'
const END = '<!-- end of what was measured -->'

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

/** Puts the results into docs/performance.md, between its two marks, and the charts beside it. */
export async function writeDocs(results: Results): Promise<void> {
  const page = new URL('docs/performance.md', ROOT)
  const text = await readFile(page, 'utf8')
  const begin = text.indexOf(BEGIN)
  const end = text.indexOf(END)
  if (begin < 0 || end < begin)
    throw new Error(`${fileURLToPath(page)}: has not the lines "${BEGIN}", "${END}"`)
  await writeFile(page, `${text.slice(0, begin)}${BEGIN}\n\n${section(results)}\n${text.slice(end)}`)
  await writeCharts(results, new URL('docs/performance', ROOT))
}

/** One for each comparison: NAME-qed.svg and so on. */
async function writeCharts(results: Results, name: URL): Promise<string[]> {
  const paths: string[] = []
  for (const comparison of comparisonsOf(results)) {
    const path = fileURLToPath(`${name}-${comparison.id}.svg`)
    await writeFile(path, chart(results, comparison))
    paths.push(path)
  }
  return paths
}

function section(results: Results): string {
  const { machine, rounds, seconds, size } = results
  return [
    `Measured on ${results.date.slice(0, 10)}: ${rounds} rounds of ${seconds} s, images of ${size / 2 ** 20} MiB; load average at the start ${machine.loadAtStart.toFixed(1)}.`,
    '',
    `- ${machineLine(machine)}`,
    `- ${versionsLine(machine)}`,
    '',
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
