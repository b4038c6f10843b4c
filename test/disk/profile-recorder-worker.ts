import { parentPort, workerData } from 'node:worker_threads'
import { ProfileRecorder, type RecorderDescription } from '../../src/disk/profile-recorder.js'
import { Random } from '../support/random.js'

/** A thread that notes random ranges, and tells which grains. */
export interface RecorderTask {
  readonly description: RecorderDescription
  readonly rounds: number
  readonly seed: number
}

const { description, rounds, seed } = workerData as RecorderTask
const { baseSize, grain } = description
const profile = new ProfileRecorder(description)
const random = new Random(seed)
const noted = new Set<number>()
for (let round = 0; round < rounds; round++) {
  const first = random.below(baseSize / grain - 8)
  const count = random.between(1, 8)
  profile.note(first * grain, count * grain)
  for (let n = first; n < first + count; n++) noted.add(n)
}
parentPort!.postMessage([...noted])
