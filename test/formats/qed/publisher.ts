import { parentPort, workerData } from 'node:worker_threads'
import { Mapping, Place, Where, type WritableDriver } from '../../../src/formats/driver.js'
import { qed } from '../../../src/formats/qed/index.js'
import { IoBuffer } from '../../../src/libc/io-buffer.js'
import { Mutex } from '../../../src/shared/mutex.js'
import type { FileDescription } from '../../../src/storage/storage-file.js'
import { SystemFile } from '../../../src/storage/system-file.js'
import { Random } from '../../support/random.js'

export interface Job {
  readonly file: FileDescription
  readonly description: unknown
  readonly commitLock: SharedArrayBuffer
  /** Publishes the clusters whose number leaves this rest … */
  readonly worker: number
  /** … when divided by this; looks at all. */
  readonly workers: number
  readonly rounds: number
  readonly seed: number
}

/** A thread of the test "several threads …": sends null, or what it saw that cannot be. */
const job: Job = workerData
const file = new SystemFile(job.file)
const driver = qed.attach(job.description, file) as WritableDriver
const commitLock = new Mutex(new Int32Array(job.commitLock), 0, 'commit of the test')
const random = new Random(job.seed)
const { grain } = driver
const clusters = driver.size / grain
const buffer = new IoBuffer(grain)
const run = new Mapping()
const place = new Place()

function commit(): void {
  commitLock.lock()
  try {
    driver.commit()
  } finally {
    commitLock.unlock()
  }
}

/** What cluster `cluster` holds says its number; anything else is a wrong place. */
function look(cluster: number, mustBeThere: boolean): void {
  driver.map(cluster * grain, grain, run)
  if (run.where === Where.zero && cluster % 7 === 0) return
  if (run.where === Where.data && cluster % 7 !== 0) {
    file.read(buffer, 0, 8, run.offset)
    const found = buffer.view.getFloat64(0)
    if (found !== cluster) throw new Error(`cluster ${cluster} shows ${found}, at ${run.offset}`)
  } else if (run.where !== Where.absent || mustBeThere) {
    throw new Error(`cluster ${cluster} is ${run.where}`)
  }
}

function publish(cluster: number): void {
  driver.map(cluster * grain, grain, run)
  if (run.where !== Where.absent) look(cluster, true)
  else if (cluster % 7 === 0) driver.publishZeros(cluster * grain, grain)
  else {
    driver.allocate(cluster * grain, grain, place)
    buffer.view.setFloat64(0, cluster)
    file.write(buffer, 0, grain, place.offset)
    driver.publish(cluster * grain, place)
  }
  look(cluster, true)
}

driver.commitForRoom = commit
let wrong: string | null = null
try {
  for (let n = 0; n < job.rounds; n++) {
    const cluster = random.below(clusters)
    if (cluster % job.workers === job.worker) publish(cluster)
    else look(cluster, false)
    if (n % 500 === 499) commit()
  }
} catch (error) {
  wrong = (error as Error).stack ?? `${error}`
}
parentPort!.postMessage(wrong)
