import { parentPort, workerData } from 'node:worker_threads'
import { attachDisk } from '../../src/disk/attach.js'
import type { DiskDescription } from '../../src/disk/descriptions.js'
import { IoBuffer } from '../../src/libc/io-buffer.js'
import * as atomics from '../../src/shared/atomics.js'
import { difference } from './model-disk.js'
import { fillPattern, pattern, SECTOR } from './pattern.js'
import { Random } from './random.js'

/**
 * One thread of the stress in threads.test.ts. All writers meet before each round and then write to the same cluster at
 * once, each only the sectors that are its own: sector number modulo writers. A committer flushes all the while.
 * Posts the last version of each sector that it wrote.
 */
export interface WorkerOrder {
  readonly disk: DiskDescription
  /** -1 for the committer. */
  readonly writer: number
  readonly writers: number
  /** The cluster of each round, by number. */
  readonly rounds: readonly number[]
  readonly clusterSize: number
  /** How often a writer reads one of its sectors back after each round. */
  readonly readsPerRound: number
  readonly seed: number
  /** Words: how many arrived at the meeting point, its generation, writers that are done. */
  readonly meeting: SharedArrayBuffer
}

export interface WrittenSector {
  readonly sector: number
  /** 0: zeroed. */
  readonly version: number
}

const ARRIVED = 0
const GENERATION = 1
const DONE = 2

const order = workerData as WorkerOrder
const meeting = new Int32Array(order.meeting)
const disk = attachDisk(order.disk)

const buffer = new IoBuffer(SECTOR)
const written = new Map<number, number>()
/** The keys of `written`, to pick from. */
const touched: number[] = []

if (order.writer < 0) commit()
else write()

function commit(): void {
  while (atomics.load(meeting, DONE) < order.writers) {
    disk.flush()
    atomics.wait(meeting, DONE, order.writers, 1)
  }
  parentPort!.postMessage([])
}

function write(): void {
  const random = new Random(order.seed).fork(order.writer)
  const sectors = order.clusterSize / SECTOR
  const last = disk.size / SECTOR
  order.rounds.forEach((cluster, round) => {
    meet()
    const own = Array.from({ length: sectors }, (_, n) => cluster * sectors + n).filter(
      sector => sector < last && sector % order.writers === order.writer,
    )
    for (let n = 0; n < 2 && own.length > 0; n++) {
      const sector = random.pick(own)
      const version = random.chance(0.15) ? 0 : round + 1
      if (version === 0) disk.zero(sector * SECTOR, SECTOR)
      else {
        fillPattern(buffer.bytes, sector * SECTOR, version, 0)
        disk.write(sector * SECTOR, SECTOR, buffer, 0)
      }
      if (!written.has(sector)) touched.push(sector)
      written.set(sector, version)
    }
    for (let n = 0; n < order.readsPerRound && touched.length > 0; n++) readBack(random.pick(touched))
  })
  atomics.add(meeting, DONE, 1)
  parentPort!.postMessage([...written].map(([sector, version]) => ({ sector, version })))
}

/** Own writes are seen at once, whatever the others make of the metadata meanwhile. */
function readBack(sector: number): void {
  const version = written.get(sector)!
  const wanted = version === 0 ? new Uint8Array(SECTOR) : pattern(sector * SECTOR, SECTOR, version, 0)
  disk.read(sector * SECTOR, SECTOR, buffer, 0)
  const wrong = difference(wanted, buffer.bytes, sector * SECTOR)
  if (wrong !== null) throw new Error(`read back by writer ${order.writer}: ${wrong}`)
}

function meet(): void {
  const generation = atomics.load(meeting, GENERATION)
  if (atomics.add(meeting, ARRIVED, 1) + 1 === order.writers) {
    atomics.store(meeting, ARRIVED, 0)
    atomics.add(meeting, GENERATION, 1)
    atomics.wake(meeting, GENERATION, order.writers)
    return
  }
  while (atomics.load(meeting, GENERATION) === generation) {
    if (!atomics.wait(meeting, GENERATION, generation, 60_000)) throw new Error('another writer did not come')
  }
}
