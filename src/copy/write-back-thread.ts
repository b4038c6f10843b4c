import { parentPort, workerData } from 'node:worker_threads'
import { attachDisk } from '../disk/attach.js'
import type { DiskDescription } from '../disk/descriptions.js'

/** Posted when a push failed, and when one succeeded after that. */
export type WriteBackMessage = { readonly failed: string } | 'recovered'

/** Milliseconds: the pause after a push that failed, which doubles up to the longest. */
const FIRST_PAUSE = 1000
const LONGEST_PAUSE = 30_000

/**
 * Brings the base of an image in writeback mode up to date after each flush: its whole life is one synchronous loop. What
 * it could not write when it ends, is left for the end of the mount.
 */
const writer = attachDisk(workerData as DiskDescription).baseWriter!
const { bell } = writer
let pause = 0
while (!bell.isEnded) {
  const { rung } = bell
  try {
    writer.push(true)
    if (pause > 0) parentPort!.postMessage('recovered' satisfies WriteBackMessage)
    pause = 0
    bell.wait(rung, LONGEST_PAUSE)
  } catch (error) {
    if (pause === 0) parentPort!.postMessage({ failed: (error as Error).message } satisfies WriteBackMessage)
    pause = Math.min(Math.max(FIRST_PAUSE, pause * 2), LONGEST_PAUSE)
    bell.rest(pause)
  }
}
