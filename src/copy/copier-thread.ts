import { parentPort, workerData } from 'node:worker_threads'
import { attachDisk } from '../disk/attach.js'
import type { DiskDescription } from '../disk/descriptions.js'
import { giveWay, threadTime } from '../libc/process.js'
import { Copier, type CopierTask } from './copier.js'
import { PrefetchProgress } from './prefetch-progress.js'
import { monotonicTime, Throttle } from './throttle.js'

/** What a copier thread is started with. */
export interface CopierThreadTask {
  readonly disk: DiskDescription
  readonly progress: SharedArrayBuffer
  readonly throttle: SharedArrayBuffer
  readonly task: CopierTask
}

/**
 * "counted": by the first one, before it copies anything: what is left in the base is known, and others may begin, too.
 * "done": all is in the image; perhaps by several threads.
 */
export type CopierMessage = 'counted' | 'done'

/** Milliseconds after which a sleeper looks up by itself. */
const LOOK_UP = 1000

/** A copier thread: its whole life is one synchronous loop. At its end, what readers fetched is still stored. */
const { disk, progress, throttle, task } = workerData as CopierThreadTask
giveWay()
const copies = attachDisk(disk).copies!
const prefetch = new PrefetchProgress(progress)
const copier = new Copier(
  copies,
  prefetch,
  new Throttle(throttle, task.settings),
  task,
  monotonicTime,
  threadTime,
)
if (task.index === 0) {
  copies.countRemaining()
  parentPort!.postMessage('counted' satisfies CopierMessage)
}
for (let told = false; !copies.isEnding; ) {
  const { bell } = copies.ring
  const wait = copier.step()
  if (!told && prefetch.state === 'done') {
    parentPort!.postMessage('done' satisfies CopierMessage)
    told = true
  }
  if (wait > 0) copies.ring.wait(bell, Math.min(wait, LOOK_UP))
}
while (copier.storeOne());
