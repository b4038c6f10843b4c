import { randomFillSync } from 'node:crypto'
import { mkdir, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Cleanup } from '../cleanup.js'
import { Interrupted, run, timed } from '../program.js'
import { number } from '../report-table.js'
import {
  CONTESTS,
  type Contest,
  type ContestId,
  type Files,
  file,
  TOOL_IDS,
  TOOLBOX_NAMES,
  type ToolId,
} from './contests.js'
import { measureManyImages } from './many-images.js'
import type { Seconds, ToolboxResults } from './results.js'

const MIB = 1 << 20

/** Data and holes take turns in stretches of so many MiB. */
const STRETCH = 8

/** Of an image of 1 GiB elsewhere in the bench, here a disk of 4 GiB is made. */
const TIMES = 4

export interface ToolboxOptions {
  readonly rounds: number
  readonly size: number
  /** On the machine's disk. */
  readonly directory: string
  readonly only: RegExp
  say(text: string): void
  /** A part that fails is told, and left out. */
  failed(name: string, error: Error): void
}

/** Measures the parts that `only` names; null when it names none. */
export async function measureToolbox(
  cleanup: Cleanup,
  { rounds, size: unit, directory, only, say, failed }: ToolboxOptions,
): Promise<ToolboxResults | null> {
  if (!TOOLBOX_NAMES.some(name => only.test(name))) return null
  const size = unit * TIMES
  const part = async <T>(
    name: (typeof TOOLBOX_NAMES)[number],
    measure: () => Promise<T>,
  ): Promise<T | null> => {
    if (!only.test(name)) return null
    say(`\n${name}`)
    try {
      return await measure()
    } catch (error) {
      if (error instanceof Interrupted) throw error
      failed(name, error as Error)
      return null
    }
  }
  const onDisk = async () => {
    const path = join(directory, 'toolbox')
    await mkdir(path)
    return path
  }
  const inMemory = async () => {
    const path = join(directory, 'toolbox-memory')
    await mkdir(path)
    await run('mount', ['-t', 'tmpfs', '-o', `size=${size * 4}`, 'none', path])
    cleanup.add(async () => {
      await run('umount', [path], { interruptible: false })
    })
    return path
  }
  const disk = await part('toolbox-disk', async () => contend(await onDisk(), size, rounds, say))
  await rm(join(directory, 'toolbox'), { recursive: true, force: true })
  const memory = await part('toolbox-memory', async () => contend(await inMemory(), size, rounds, say))
  const many = await part('toolbox-many', () =>
    measureManyImages(cleanup, join(directory, 'toolbox-many'), rounds, say),
  )
  return { rounds, size, disk, memory, many }
}

async function contend(
  directory: string,
  size: number,
  rounds: number,
  say: (text: string) => void,
): Promise<Seconds> {
  await prepare(directory, size)
  const seconds: Partial<Record<ContestId, Record<ToolId, number[]>>> = {}
  for (const contest of CONTESTS) {
    const samples: Record<ToolId, number[]> = { rawmount: [], 'qemu-img': [] }
    for (let round = 0; round < rounds; round++) {
      for (const tool of TOOL_IDS) {
        const value = await attempt(contest, tool, { directory, target: join(directory, 'target') })
        samples[tool].push(value)
        say(`  ${round + 1}  ${contest.title.padEnd(24)} ${tool.padEnd(9)} ${number(value).padStart(6)} s`)
      }
    }
    seconds[contest.id] = samples
  }
  return seconds
}

/** Seconds of the command, and of the sync that its file still needs: who ends durable waits there for nothing. */
async function attempt(contest: Contest, tool: ToolId, files: Files): Promise<number> {
  await run('sync', ['--file-system', files.directory])
  const [command, ...args] = contest.command(tool, files)
  const seconds = await timed(command, args)
  if (!contest.makes) return seconds
  const durable = await timed('sync', [files.target])
  await verify(contest, tool, files)
  await rm(files.target)
  return seconds + durable
}

/** Throws unless a target shows the disk. */
async function verify(contest: Contest, tool: ToolId, files: Files): Promise<void> {
  const [command, ...args] = contest.command(tool, files)
  const format = args[args.indexOf('-O') + 1]!
  const images = ['-f', 'raw', '-F', format, file(files, 'raw'), files.target]
  // FVD is read by rawmount alone.
  if (format === 'fvd') await run(command, [args[0]!, 'compare', '-q', ...images])
  else await run('qemu-img', ['compare', '-q', ...images])
}

/** The disk, half of it holes, in each format; and once more, to be compared with. */
async function prepare(directory: string, size: number): Promise<void> {
  const files = { directory, target: '' }
  const raw = await open(file(files, 'raw'), 'wx')
  const piece = Buffer.alloc(MIB)
  randomFillSync(piece)
  await raw.truncate(size)
  for (let at = 0; at < size; at += MIB) {
    if (Math.floor(at / MIB / STRETCH) % 2 === 1) continue
    // No two alike.
    piece.writeBigUInt64LE(BigInt(at))
    await raw.write(piece, 0, MIB, at)
  }
  await raw.close()
  for (const format of ['qed', 'qcow2', 'copy.raw']) {
    const args = [
      'convert',
      '-f',
      'raw',
      '-O',
      format.split('.').at(-1)!,
      file(files, 'raw'),
      file(files, format),
    ]
    await run('qemu-img', args)
  }
}
