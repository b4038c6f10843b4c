import { Worker } from 'node:worker_threads'
import { tracer } from '../../trace.js'
import type { WorkerMessage, WorkerTask } from './worker.js'

const debug = tracer('mount')

/** A session worker, as the thread that started it sees it. */
export class SessionWorker {
  readonly serving: Promise<void>
  /** Resolves, with the error, only if the worker fails. */
  readonly died: Promise<Error>
  /** Resolves at its end: with null, or with what it died of. */
  readonly ended: Promise<Error | null>
  private readonly thread: Worker

  /** `overreached` gets the inode beyond whose end the kernel has let somebody write. */
  constructor(task: WorkerTask, overreached: (inode: number) => void) {
    const thread = new Worker(new URL('./worker.js', import.meta.url), {
      workerData: task,
      transferList: task.deferred === null ? [] : [task.deferred],
    })
    this.thread = thread
    let cause: Error | null = null
    let orderly = false
    this.serving = new Promise(resolve => {
      thread.on('message', (message: WorkerMessage) => {
        debug('worker %d: %o', task.index, message)
        if (typeof message === 'object') overreached(message.overreached)
        else if (message === 'serving') resolve()
        else orderly = true
      })
    })
    thread.on('error', error => {
      cause = error as Error
    })
    this.ended = new Promise(resolve => {
      thread.on('exit', code => {
        resolve(orderly ? null : (cause ?? new Error(`worker ${task.index} ended with code ${code}`)))
      })
    })
    this.died = new Promise(resolve => {
      this.ended.then(error => {
        if (error !== null) resolve(error)
      })
    })
  }

  /** The process does not wait for it any more. */
  leave(): void {
    this.thread.unref()
  }
}
