import { run } from './program.js'

/** A job for fio; everything else is the same in all of them. */
export interface FioJob {
  readonly rw: 'read' | 'write' | 'randread' | 'randwrite' | 'randrw'
  readonly blockSize: '4k' | '1M'
  readonly jobs?: number
  /** Through the page cache of the mounted file, instead of O_DIRECT. */
  readonly buffered?: boolean
  /** An fsync at the end, in the measured time. */
  readonly endFsync?: boolean
  /** A log of writes to replay, until its end or the end of the time. */
  readonly replay?: string
}

export interface FioResult {
  readonly iops: number
  readonly bytesPerSecond: number
  readonly operations: number
}

export interface FioRun {
  readonly path: string
  readonly direct: boolean
  readonly seconds: number
  readonly seed: number
}

/** Before the clock starts, so that caches of processors and compilers are as in a longer run. */
const RAMP = 0.3

export function fioArguments(job: FioJob, { path, direct, seconds, seed }: FioRun): string[] {
  const options: Record<string, string | number> = {
    name: 'bench',
    filename: path,
    ioengine: 'psync',
    rw: job.rw,
    bs: job.blockSize,
    direct: direct && !job.buffered ? 1 : 0,
    numjobs: job.jobs ?? 1,
    randseed: seed,
    invalidate: 0,
    fallocate: 'none',
    allow_file_create: 0,
    runtime: `${Math.round(seconds * 1000)}ms`,
    end_fsync: job.endFsync ? 1 : 0,
  }
  if (job.replay !== undefined) options.read_iolog = job.replay
  else {
    options.time_based = 1
    options.norandommap = 1
    options.ramp_time = `${RAMP * 1000}ms`
  }
  const given = Object.entries(options).map(([name, value]) => `--${name}=${value}`)
  return [...given, '--group_reporting', '--output-format=json']
}

export async function fio(job: FioJob, how: FioRun): Promise<FioResult> {
  return fioResult(await run('fio', fioArguments(job, how)))
}

interface Direction {
  readonly iops: number
  readonly bw_bytes: number
  readonly total_ios: number
}

/** Throws when fio did nothing or met an error. */
export function fioResult(output: string): FioResult {
  // Notes of fio may stand before the JSON.
  const [job] = JSON.parse(output.slice(output.indexOf('{'))).jobs as {
    read: Direction
    write: Direction
    error: number
  }[]
  if (job === undefined || job.error !== 0) throw new Error(`fio failed:\n${output}`)
  const { read, write } = job
  const operations = read.total_ios + write.total_ios
  if (operations === 0) throw new Error(`fio did nothing:\n${output}`)
  return { iops: read.iops + write.iops, bytesPerSecond: read.bw_bytes + write.bw_bytes, operations }
}
