import type { Bench, Lane } from './bench.js'
import type { Contender, ContenderId } from './contenders/contender.js'
import { qemu } from './contenders/qemu.js'
import { rawFile } from './contenders/raw-file.js'
import { rawmountKernel, rawmountLibfuse } from './contenders/rawmount.js'
import type { FioJob } from './fio.js'
import { type Allocating, allocating } from './lanes/allocating.js'
import { bareLoop } from './lanes/bare-loop.js'
import { idleProcessorTime } from './lanes/idle.js'
import { residentMemory } from './lanes/memory.js'
import { mountTime } from './lanes/mount-time.js'
import { rereads } from './lanes/reread.js'
import { standing } from './lanes/standing.js'

/** The table of all that is measured. */

export type Unit = 'IOPS' | 'MB/s' | 'ms' | 'MiB'

/** What rawmount with its default transport is to reach: a multiple of another's figure, or a limit in its unit. */
export type Target =
  | { readonly times: number; readonly of: ContenderId }
  | { readonly below: number }
  | { readonly upTo: number }

export interface Workload {
  readonly id: string
  readonly title: string
  readonly unit: Unit
  readonly targets: readonly Target[]
  /** At most so many rounds, where more would teach nothing. */
  readonly rounds?: number
  /** In the order in which they take their turns. */
  readonly lanes: ReadonlyMap<ContenderId, (bench: Bench) => Promise<Lane>>
}

const QED_CONTENDERS = [qemu, rawmountKernel, rawmountLibfuse]
const ALL_CONTENDERS = [rawFile, ...QED_CONTENDERS]

export const WORKLOADS: readonly Workload[] = [
  inPlace('read-4k', 'random 4 KiB reads, depth 1', 'IOPS', overQemu(2.5), {
    rw: 'randread',
    blockSize: '4k',
  }),
  inPlace('read-4k-8', 'random 4 KiB reads, 8 jobs', 'IOPS', overQemu(2), {
    rw: 'randread',
    blockSize: '4k',
    jobs: 8,
  }),
  inPlace('read-1m', 'sequential 1 MiB reads', 'MB/s', overQemu(2.8), { rw: 'read', blockSize: '1M' }),
  {
    id: 'reread-1m',
    title: '1 MiB re-reads, page cache',
    unit: 'MB/s',
    targets: [overQemu(15)],
    lanes: lanes(ALL_CONTENDERS, rereads),
  },
  inPlace('write-1m', '1 MiB writes in place', 'MB/s', overQemu(1), { rw: 'write', blockSize: '1M' }),
  inPlace('write-4k', 'random 4 KiB writes in place', 'IOPS', overQemu(1.5), {
    rw: 'randwrite',
    blockSize: '4k',
  }),
  inPlace('write-4k-buffered', 'buffered random 4 KiB writes', 'IOPS', overQemu(3), {
    rw: 'randwrite',
    blockSize: '4k',
    buffered: true,
  }),
  allocatingWrites('allocate-4k', 'allocating 4 KiB writes', [overQemu(3)], { backed: false }),
  allocatingWrites(
    'allocate-4k-backed',
    'allocating 4 KiB writes, backing file',
    [overQemu(2), { times: 0.7, of: 'bare' }],
    { backed: true },
  ),
  allocatingWrites('allocate-4k-backed-fsync', 'the same, with an fsync at the end', [], {
    backed: true,
    endFsync: true,
  }),
  {
    id: 'mount',
    title: 'time to mount, full image',
    unit: 'ms',
    targets: [{ below: 500 }],
    lanes: lanes(QED_CONTENDERS, (bench, contender) => mountTime(bench, contender, null)),
  },
  {
    id: 'mount-10t',
    title: 'time to mount, empty 10 TiB image',
    unit: 'ms',
    targets: [{ below: 500 }],
    lanes: lanes(QED_CONTENDERS, (bench, contender) => mountTime(bench, contender, 10 * 2 ** 40)),
  },
  {
    id: 'memory',
    title: 'resident memory, 1 TiB image at random',
    unit: 'MiB',
    targets: [{ below: 150 }],
    rounds: 1,
    lanes: lanes(QED_CONTENDERS, residentMemory),
  },
  {
    id: 'idle',
    title: 'processor time of an idle second',
    unit: 'ms',
    targets: [{ upTo: 10 }],
    lanes: lanes(QED_CONTENDERS, idleProcessorTime),
  },
]

function inPlace(id: string, title: string, unit: 'IOPS' | 'MB/s', target: Target, job: FioJob): Workload {
  const open: LaneOf = (bench, contender) =>
    standing(bench, contender, job, ({ iops, bytesPerSecond }) =>
      unit === 'IOPS' ? iops : bytesPerSecond / 1e6,
    )
  return { id, title, unit, targets: [target], lanes: lanes(ALL_CONTENDERS, open) }
}

function allocatingWrites(id: string, title: string, targets: Target[], how: Allocating): Workload {
  const open: LaneOf = (bench, contender) => allocating(bench, contender, how)
  if (!how.backed) return { id, title, unit: 'IOPS', targets, lanes: lanes(ALL_CONTENDERS, open) }
  const served = lanes(QED_CONTENDERS, open)
  const all = how.endFsync ? served : new Map([['bare' as ContenderId, bareLoop], ...served])
  return { id, title, unit: 'IOPS', targets, lanes: all }
}

type LaneOf = (bench: Bench, contender: Contender) => Promise<Lane>

function lanes(contenders: readonly Contender[], open: LaneOf): Workload['lanes'] {
  return new Map(contenders.map(contender => [contender.id, (bench: Bench) => open(bench, contender)]))
}

/** At least so many times QEMU's figure. */
function overQemu(times: number): Target {
  return { times, of: 'qemu' }
}
