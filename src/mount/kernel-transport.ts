import { Worker } from 'node:worker_threads'
import createDebug from 'debug'
import { createSessionWords } from '../fuse/channel.js'
import { handshake } from '../fuse/handshake.js'
import { mountKernel } from '../fuse/kernel-mount.js'
import type { TreeDescription } from './mounted-tree.js'
import type { MountOptions } from './options.js'
import type { Transport } from './transport.js'
import type { WorkerMessage, WorkerTask } from './worker.js'

const debug = createDebug('rawmount:mount')

/** KiB that the kernel reads ahead of a sequential reader; 4096 measured no faster. */
const READ_AHEAD = 1024

/** Mounts, and serves from worker threads. Resolves when all of them wait for requests. */
export async function serveKernel(options: MountOptions, tree: TreeDescription): Promise<Transport> {
  const mount = mountKernel({
    mountpoint: options.mountpoint,
    fsname: options.image,
    readOnly: options.readOnly,
    allowOther: options.allowOther,
  })
  try {
    const { writeback } = handshake(mount.fd, options.cache)
    mount.setReadAhead(READ_AHEAD)
    const words = createSessionWords()
    const direct = options.cache === 'none'
    const workers = Array.from({ length: options.threads }, (_, index) => {
      return new SessionWorker({ index, channel: mount.openChannel(), words, tree, direct, writeback })
    })
    // One that dies would leave its requests unanswered for ever: all of them get an error at once instead.
    for (const worker of workers) worker.died.then(() => mount.abort())
    await Promise.race([Promise.all(workers.map(worker => worker.serving)), failure(workers)])
    return {
      name: 'kernel',
      unmount: async lazy => mount.unmount(lazy),
      abort: () => mount.abort(),
      finished: Promise.all(workers.map(worker => worker.ended)).then(causes => {
        mount.close()
        const died = causes.find(cause => cause !== null) ?? null
        if (died !== null) mount.unmount(true)
        return died
      }),
    }
  } catch (error) {
    mount.abort()
    mount.unmount(true)
    throw error
  }
}

/** Rejects when a worker ends before it served. */
async function failure(workers: readonly SessionWorker[]): Promise<never> {
  throw await Promise.race(workers.map(worker => worker.died))
}

class SessionWorker {
  readonly serving: Promise<void>
  /** Resolves, with the error, only if the worker fails. */
  readonly died: Promise<Error>
  /** Resolves at its end: with null, or with what it died of. */
  readonly ended: Promise<Error | null>

  constructor(task: WorkerTask) {
    const thread = new Worker(new URL('./worker.js', import.meta.url), { workerData: task })
    let cause: Error | null = null
    let orderly = false
    this.serving = new Promise(resolve => {
      thread.on('message', (message: WorkerMessage) => {
        debug('worker %d: %s', task.index, message)
        if (message === 'serving') resolve()
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
}
