import { parentPort, workerData } from 'node:worker_threads'
import { attachDisk } from '../../src/disk/attach.js'
import type { DiskDescription } from '../../src/disk/descriptions.js'
import { IoBuffer } from '../../src/libc/io-buffer.js'
import * as atomics from '../../src/shared/atomics.js'
import { Random } from './random.js'

/**
 * One of several threads that meet before each round, and then write to the same bytes of an image and of its base, each
 * another value. Which of the writes is the last one nobody knows; image and base must agree on it.
 */
export interface BaseWritingOrder {
  readonly disk: DiskDescription
  readonly rounds: number
  /** Bytes of the disk that a round has for itself. */
  readonly room: number
  /** 1 and up. */
  readonly thread: number
  readonly threads: number
  readonly seed: number
  /** One word: how often a thread has come to a meeting. */
  readonly meeting: SharedArrayBuffer
}

const order = workerData as BaseWritingOrder
const { rounds, room, thread, threads } = order
const disk = attachDisk(order.disk)
const random = new Random(order.seed)
const meeting = new Int32Array(order.meeting)
const buffer = new IoBuffer(room)
buffer.bytes.fill(thread)
for (let round = 0; round < rounds; round++) {
  atomics.add(meeting, 0, 1)
  // They do not sleep, so as to go off in the same moment.
  while (atomics.load(meeting, 0) < (round + 1) * threads);
  const start = random.below(room / 2)
  const length = random.between(1, room / 2)
  if (random.chance(0.05)) disk.zero(round * room + start, length)
  else disk.write(round * room + start, length, buffer, 0)
  if (random.chance(0.02)) disk.flush()
}
parentPort!.postMessage('done')
