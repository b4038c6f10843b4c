import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { ContenderTask } from './contender.js'

/** Runs the task in `threads` threads at once and waits for all of them. */
export async function contend(task: Omit<ContenderTask, 'seed'>, threads: number): Promise<void> {
  const workers = Array.from({ length: threads }, (_, seed) => {
    return new Worker(new URL('./contender.js', import.meta.url), { workerData: { ...task, seed } })
  })
  const ends = workers.map(worker => once(worker, 'exit'))
  await Promise.all(workers.map(worker => once(worker, 'message')))
  await Promise.all(ends)
}
