import type { Bench, Lane } from './bench.js'
import type { ComparisonId } from './comparisons.js'
import type { Contender, ContenderId } from './contenders/contender.js'
import { qemu, qemuQcow2 } from './contenders/qemu.js'
import { rawFile } from './contenders/raw-file.js'
import {
  rawmountFvdCompact,
  rawmountFvdFlat,
  rawmountKernel,
  rawmountLibfuse,
  rawmountQed,
} from './contenders/rawmount.js'
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

/** What `who` is to reach: a multiple of another's figure, or a limit in the workload's unit. */
export type Target = { readonly who: ContenderId } & (
  | { readonly times: number; readonly of: ContenderId }
  | { readonly below: number }
  | { readonly upTo: number }
)

export interface Workload {
  readonly id: string
  readonly comparison: ComparisonId
  readonly title: string
  readonly unit: Unit
  readonly targets: readonly Target[]
  /** At most so many rounds, where more would teach nothing. */
  readonly rounds?: number
  /** In the order in which they take their turns. */
  readonly lanes: ReadonlyMap<ContenderId, (bench: Bench) => Promise<Lane>>
}

/** How it is measured; the rest is what it is called. */
type Measured = Omit<Workload, 'id' | 'comparison' | 'title'>

const QED_CONTENDERS = [qemu, rawmountKernel, rawmountLibfuse]
const WITH_RAW_FILE = [rawFile, ...QED_CONTENDERS]
const FVD_CONTENDERS = [qemuQcow2, rawmountQed, rawmountFvdFlat, rawmountFvdCompact]
const FVD_ALLOCATING = [rawFile, qemuQcow2, rawmountQed, rawmountFvdCompact]

/** Within 5 % of what rawmount does with QED. */
const LIKE_QED: readonly Target[] = [
  { who: 'fvd-flat', times: 0.95, of: 'qed' },
  { who: 'fvd-compact', times: 0.95, of: 'qed' },
]

const TiB = 2 ** 40

const READ_4K: FioJob = { rw: 'randread', blockSize: '4k' }
const READ_1M: FioJob = { rw: 'read', blockSize: '1M' }
const WRITE_4K: FioJob = { rw: 'randwrite', blockSize: '4k' }
const WRITE_1M: FioJob = { rw: 'write', blockSize: '1M' }

export const WORKLOADS: readonly Workload[] = [
  qed('read-4k', 'random 4 KiB reads, depth 1', inPlace(WITH_RAW_FILE, READ_4K, [overQemu(2.5)])),
  qed(
    'read-4k-8',
    'random 4 KiB reads, 8 jobs',
    inPlace(WITH_RAW_FILE, { ...READ_4K, jobs: 8 }, [overQemu(2)]),
  ),
  qed('read-1m', 'sequential 1 MiB reads', inPlace(WITH_RAW_FILE, READ_1M, [overQemu(2.8)])),
  qed('reread-1m', '1 MiB re-reads, page cache', {
    unit: 'MB/s',
    targets: [overQemu(15)],
    lanes: lanes(WITH_RAW_FILE, rereads),
  }),
  qed('write-1m', '1 MiB writes in place', inPlace(WITH_RAW_FILE, WRITE_1M, [overQemu(1)])),
  qed('write-4k', 'random 4 KiB writes in place', inPlace(WITH_RAW_FILE, WRITE_4K, [overQemu(1.5)])),
  qed(
    'write-4k-buffered',
    'buffered random 4 KiB writes',
    inPlace(WITH_RAW_FILE, { ...WRITE_4K, buffered: true }, [overQemu(3)]),
  ),
  qed(
    'allocate-4k',
    'allocating 4 KiB writes',
    allocatingWrites(WITH_RAW_FILE, { order: 'random', backed: false }, [overQemu(3)]),
  ),
  qed(
    'allocate-4k-backed',
    'allocating 4 KiB writes, backing file',
    besideBareLoop(
      allocatingWrites(QED_CONTENDERS, { order: 'random', backed: true }, [
        overQemu(2),
        { who: 'rawmount', times: 0.7, of: 'bare' },
      ]),
    ),
  ),
  qed(
    'allocate-4k-backed-fsync',
    'the same, with an fsync at the end',
    allocatingWrites(QED_CONTENDERS, { order: 'random', backed: true, endFsync: true }, []),
  ),
  qed('mount', 'time to mount, full image', mounting(QED_CONTENDERS, null, ['rawmount'])),
  qed('mount-10t', 'time to mount, empty 10 TiB image', mounting(QED_CONTENDERS, 10 * TiB, ['rawmount'])),
  qed('memory', 'resident memory, 1 TiB image at random', {
    unit: 'MiB',
    targets: [{ who: 'rawmount', below: 150 }],
    rounds: 1,
    lanes: lanes(QED_CONTENDERS, residentMemory),
  }),
  qed('idle', 'processor time of an idle second', {
    unit: 'ms',
    targets: [{ who: 'rawmount', upTo: 10 }],
    lanes: lanes(QED_CONTENDERS, idleProcessorTime),
  }),

  fvd('fvd-read-4k', 'random 4 KiB reads, depth 1', inPlace(FVD_CONTENDERS, READ_4K, LIKE_QED)),
  fvd('fvd-read-1m', 'sequential 1 MiB reads', inPlace(FVD_CONTENDERS, READ_1M, LIKE_QED)),
  fvd('fvd-write-1m', '1 MiB writes in place', inPlace(FVD_CONTENDERS, WRITE_1M, LIKE_QED)),
  fvd('fvd-write-4k', 'random 4 KiB writes in place', inPlace(FVD_CONTENDERS, WRITE_4K, LIKE_QED)),
  fvd(
    'fvd-allocate-4k',
    'allocating 4 KiB writes, fsync every 32',
    allocatingWrites(FVD_ALLOCATING, { order: 'random', backed: true, fsyncEvery: 32 }, [
      { who: 'fvd-compact', times: 2, of: 'qcow2' },
      { who: 'fvd-compact', times: 0.7, of: 'raw' },
    ]),
  ),
  fvd(
    'fvd-allocate-1m',
    'allocating 1 MiB writes in sequence',
    allocatingWrites(FVD_ALLOCATING, { order: 'sequential', backed: true }, [
      { who: 'fvd-compact', times: 3, of: 'qcow2' },
    ]),
  ),
  fvd(
    'fvd-mount-10t',
    'time to mount, empty 10 TiB image',
    mounting(FVD_CONTENDERS, 10 * TiB, ['fvd-flat', 'fvd-compact']),
  ),
]

function qed(id: string, title: string, measured: Measured): Workload {
  return { id, comparison: 'qed', title, ...measured }
}

function fvd(id: string, title: string, measured: Measured): Workload {
  return { id, comparison: 'fvd', title, ...measured }
}

function inPlace(contenders: readonly Contender[], job: FioJob, targets: readonly Target[]): Measured {
  const unit = job.blockSize === '4k' ? 'IOPS' : 'MB/s'
  const open: LaneOf = (bench, contender) =>
    standing(bench, contender, job, ({ iops, bytesPerSecond }) =>
      unit === 'IOPS' ? iops : bytesPerSecond / 1e6,
    )
  return { unit, targets, lanes: lanes(contenders, open) }
}

function allocatingWrites(
  contenders: readonly Contender[],
  how: Allocating,
  targets: readonly Target[],
): Measured {
  const open: LaneOf = (bench, contender) => allocating(bench, contender, how)
  return { unit: how.order === 'random' ? 'IOPS' : 'MB/s', targets, lanes: lanes(contenders, open) }
}

function besideBareLoop(measured: Measured): Measured {
  return { ...measured, lanes: new Map([['bare' as ContenderId, bareLoop], ...measured.lanes]) }
}

/** Of the full image, or of an empty one of `size` bytes. */
function mounting(
  contenders: readonly Contender[],
  size: number | null,
  quick: readonly ContenderId[],
): Measured {
  const open: LaneOf = (bench, contender) => mountTime(bench, contender, size)
  return { unit: 'ms', targets: quick.map(who => ({ who, below: 500 })), lanes: lanes(contenders, open) }
}

type LaneOf = (bench: Bench, contender: Contender) => Promise<Lane>

function lanes(contenders: readonly Contender[], open: LaneOf): Workload['lanes'] {
  return new Map(contenders.map(contender => [contender.id, (bench: Bench) => open(bench, contender)]))
}

/** rawmount with its default transport: at least so many times QEMU's figure. */
function overQemu(times: number): Target {
  return { who: 'rawmount', times, of: 'qemu' }
}
