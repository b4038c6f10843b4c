import { access, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Bench } from './bench.js'
import { Cleanup } from './cleanup.js'
import type { ComparisonId } from './comparisons.js'
import { CONTENDERS } from './contenders/all.js'
import { type ContenderId, LABELS } from './contenders/contender.js'
import { FILLERS } from './copying/fillers.js'
import { COPYING_NAMES, measureCopying } from './copying/measure.js'
import { copyingTables } from './copying/report.js'
import { Images } from './images.js'
import { availableMemory, describeMachine, freeBytes, machineLine, versionsLine } from './machine.js'
import { type Options, parseOptions } from './options.js'
import { Interrupted, interrupt } from './program.js'
import { writeDocs, writeResults } from './publish.js'
import { number, spreadRows, summaryRows, textTable } from './report-table.js'
import { comparisonsOf, type Results, type WorkloadResult } from './results.js'
import { measure } from './rounds.js'
import { TOOLBOX_NAMES } from './toolbox/contests.js'
import { measureToolbox } from './toolbox/measure.js'
import { toolboxTables } from './toolbox/report.js'
import { WORKLOADS } from './workloads.js'

/** The template, a full image for each contender of one comparison, and one that grows. */
const FILES = 6

async function main(args: readonly string[]): Promise<number> {
  const names = [...WORKLOADS.map(({ id }) => id), ...COPYING_NAMES, ...TOOLBOX_NAMES]
  const options = parseOptions(args, names, text => process.stdout.write(text))
  if (options === null) return 0
  if (process.getuid!() !== 0) throw new Error('the benchmark mounts as root does: sudo npm run bench')
  await access('/dev/fuse')
  checkRoom(options)
  const cleanup = new Cleanup()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupt)
  try {
    return await compare(options, cleanup)
  } finally {
    await cleanUp(cleanup)
  }
}

function checkRoom({ directory, size }: Options): void {
  if (freeBytes(directory) < FILES * size + 2 ** 31)
    throw new Error(`${directory}: too little space for ${FILES} images; see --directory and --size`)
  if (availableMemory() < FILES * size) complain('the images may not fit in the page cache; see --size')
}

async function compare(options: Options, cleanup: Cleanup): Promise<number> {
  const { rounds, seconds, size } = options
  const directory = await mkdtemp(join(options.directory, 'rawmount-bench-'))
  cleanup.add(() => rm(directory, { recursive: true }))
  const machine = describeMachine(directory)
  say(machineLine(machine))
  say(versionsLine(machine))
  if (machine.loadAtStart > 0.5) complain(`the machine is busy (load ${machine.loadAtStart.toFixed(1)})`)
  const images = new Images(directory, size)
  await images.prepare()
  const date = new Date().toISOString()
  const failures: string[] = []
  const failed = (name: string, error: Error) => {
    complain(`${name}: ${error.message}`)
    failures.push(name)
  }
  const workloads = await measureAll(images, options, cleanup, failed)
  await images.removeFilled()
  const copying = await measureCopying(images, cleanup, { ...options, say, failed })
  const toolbox = await measureToolbox(cleanup, { ...options, directory, say, failed })
  const commands = Object.fromEntries(
    [...CONTENDERS, ...FILLERS].map(({ id, commandLine }) => [id, commandLine]),
  )
  const results: Results = { date, machine, rounds, seconds, size, commands, workloads, copying, toolbox }
  for (const comparison of comparisonsOf(results)) {
    say(`\n${comparison.title}\n\n${textTable(summaryRows(results, comparison))}`)
    say(`\n${textTable(spreadRows(results, comparison))}\n`)
  }
  const tables = [
    ...(copying === null ? [] : copyingTables(copying)),
    ...(toolbox === null ? [] : toolboxTables(toolbox)),
  ]
  for (const { title, rows } of tables) {
    say(`\n${title}\n\n${textTable(rows)}\n`)
  }
  if (workloads.length > 0 || copying !== null || toolbox !== null) {
    for (const path of await writeResults(results)) say(path)
    if (options.docs) await writeDocs(results)
  }
  return failures.length > 0 ? 1 : 0
}

/** A workload that fails is told, and left out: the others took long enough. */
async function measureAll(
  images: Images,
  { only, rounds, seconds }: Options,
  cleanup: Cleanup,
  failed: (name: string, error: Error) => void,
): Promise<WorkloadResult[]> {
  const workloads: WorkloadResult[] = []
  let comparison: ComparisonId | null = null
  for (const workload of WORKLOADS.filter(({ id }) => only.test(id))) {
    if (comparison !== workload.comparison) await images.removeFilled()
    comparison = workload.comparison
    say(`\n${workload.title} (${workload.id}), ${workload.unit}`)
    const heard = (id: ContenderId, round: number, value: number) =>
      say(`  ${round + 1}  ${LABELS[id].padEnd(11)} ${number(value).padStart(9)}`)
    // Of its own: a contender that still held its image after a failure would fail the next workload too.
    const mounts = new Cleanup()
    const unmountAll = cleanup.add(() => cleanUp(mounts))
    try {
      workloads.push(await measure(new Bench(images, seconds, mounts), workload, rounds, heard))
    } catch (error) {
      if (error instanceof Interrupted) throw error
      failed(workload.id, error as Error)
    }
    await unmountAll()
  }
  return workloads
}

async function cleanUp(cleanup: Cleanup): Promise<void> {
  for (const failure of await cleanup.run()) complain(`cleaning up: ${failure.message}`)
}

function say(text: string): void {
  console.log(text)
}

function complain(text: string): void {
  console.error(`bench: ${text}`)
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  complain(error instanceof Interrupted ? 'interrupted; everything is taken down' : (error as Error).message)
  process.exitCode = error instanceof Interrupted ? 130 : 1
}
