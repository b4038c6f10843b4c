import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { machineLine, versionsLine } from './machine.js'
import { chart } from './report-svg.js'
import { markdownTable, spreadRows, summaryRows } from './report-table.js'
import type { Results } from './results.js'

const ROOT = new URL('../../', import.meta.url)
const BEGIN = '<!-- measured: npm run bench -- --docs writes what follows -->'
const END = '<!-- end of what was measured -->'

/** Writes bench/results/DATE.json and .svg; returns their paths. */
export async function writeResults(results: Results): Promise<string[]> {
  const directory = new URL('bench/results/', ROOT)
  await mkdir(directory, { recursive: true })
  const name = results.date.slice(0, 19).replaceAll(':', '-')
  const json = new URL(`${name}.json`, directory)
  const svg = new URL(`${name}.svg`, directory)
  await writeFile(json, `${JSON.stringify(results, null, 2)}\n`)
  await writeFile(svg, chart(results))
  return [fileURLToPath(json), fileURLToPath(svg)]
}

/** Puts the results into docs/performance.md, between its two marks, and the chart beside it. */
export async function writeDocs(results: Results): Promise<void> {
  const page = new URL('docs/performance.md', ROOT)
  const text = await readFile(page, 'utf8')
  const begin = text.indexOf(BEGIN)
  const end = text.indexOf(END)
  if (begin < 0 || end < begin)
    throw new Error(`${fileURLToPath(page)}: has not the lines "${BEGIN}", "${END}"`)
  await writeFile(page, `${text.slice(0, begin)}${BEGIN}\n\n${section(results)}\n${text.slice(end)}`)
  await writeFile(new URL('docs/performance.svg', ROOT), chart(results))
}

function section(results: Results): string {
  const { machine, rounds, seconds, size } = results
  return [
    `Measured on ${results.date.slice(0, 10)}: ${rounds} rounds of ${seconds} s, images of ${size / 2 ** 20} MiB; load average at the start ${machine.loadAtStart.toFixed(1)}.`,
    '',
    `- ${machineLine(machine)}`,
    `- ${versionsLine(machine)}`,
    '',
    markdownTable(summaryRows(results)),
    '',
    'Between the rounds:',
    '',
    markdownTable(spreadRows(results)),
    '',
  ].join('\n')
}
