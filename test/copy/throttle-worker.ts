import { parentPort, workerData } from 'node:worker_threads'
import { monotonicTime, Throttle } from '../../src/copy/throttle.js'
import type { CopySettings } from '../../src/formats/copy-settings.js'

/** A thread that takes pieces as fast as it can, without waiting, and tells when those that had to wait were to begin. */
export interface ThrottleTask {
  readonly memory: SharedArrayBuffer
  readonly settings: CopySettings
  readonly rounds: number
  readonly piece: number
}

const { memory, settings, rounds, piece } = workerData as ThrottleTask
let now = 0
const throttle = new Throttle(memory, settings, () => {
  now = monotonicTime()
  return now
})
const begins: number[] = []
for (let round = 0; round < rounds; round++) {
  const delay = throttle.delayBefore(piece)
  if (delay > 0) begins.push(now + delay)
  throttle.beginRead()
  throttle.endRead(piece)
}
parentPort!.postMessage(begins)
