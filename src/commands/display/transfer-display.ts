import type { Progress } from '../../transfer/crew.js'
import { type Interruption, Interrupts } from '../interruption.js'
import { LiveLines } from './live-lines.js'
import { progressLine } from './progress-bar.js'
import { Pace, secondsLeft } from './progress-pace.js'

interface Work {
  readonly signal: AbortSignal
  readonly onProgress: (progress: Progress) => void
}

/** What ended the work, if it was the user. */
export class Interrupted extends Error {
  constructor(readonly by: Interruption) {
    super(`ended by ${by}`)
  }
}

/**
 * Does something that goes through a disk, with a bar on stderr where that is a terminal and `shows` it, until it ends or
 * the user ends it: then it throws Interrupted.
 */
export async function withProgress<T>(shows: boolean, act: (work: Work) => Promise<T>): Promise<T> {
  const interrupts = new Interrupts()
  const controller = new AbortController()
  void interrupts.arrived.then(signal => controller.abort(new Interrupted(signal)))
  const bar = shows && process.stderr.isTTY ? new LiveLines(process.stderr) : null
  const passed = new Pace()
  const read = new Pace()
  const onProgress = ({ done, total, read: bytes }: Progress): void => {
    const now = performance.now()
    passed.add(now, done)
    read.add(now, bytes)
    const left = secondsLeft(total - done, passed.rate)
    bar?.draw([progressLine({ done, total, rate: read.rate, secondsLeft: left }, bar.columns)])
  }
  try {
    return await act({ signal: controller.signal, onProgress })
  } finally {
    bar?.clear()
    interrupts.stop()
  }
}
