import { MAX_WORKERS, turnsOf } from '../../fuse/channel.js'
import { tracer } from '../../trace.js'
import type { SessionWorker } from './session-worker.js'

const debug = tracer('mount')

/** Milliseconds between two looks at the workers, and for which all of them must have been in one request. */
const LOOK = 500

/** Milliseconds that workers have to end after an abort, which fails everything but what hangs in a base. */
const PATIENCE = 3000

/**
 * The session workers of a mount. A base that hangs, on a network say, holds the worker that reads it; when it holds all
 * of them, as many again are started, so that everybody else is served. Extra workers stay: asleep they cost some
 * memory. Belongs to the main thread.
 */
export class WorkerPool {
  /** Resolves when the last worker has ended: with null, or with what the first one died of. */
  readonly ended: Promise<Error | null>
  private readonly turns: Int32Array
  private readonly workers: SessionWorker[] = []
  private seen: number[] = []
  private running = 0
  private cause: Error | null = null
  private finish: (cause: Error | null) => void = () => {}
  private timer: NodeJS.Timeout | undefined

  constructor(
    private readonly make: (index: number) => SessionWorker,
    words: SharedArrayBuffer,
    private readonly onDeath: () => void,
  ) {
    this.turns = new Int32Array(words)
    this.ended = new Promise(resolve => {
      this.finish = resolve
    })
  }

  /** Resolves when so many workers wait for requests; rejects when one ends before it does. */
  async start(count: number): Promise<void> {
    for (let n = 0; n < count; n++) this.add()
    const failure = Promise.race(this.workers.map(worker => worker.died)).then(error => {
      throw error
    })
    await Promise.race([Promise.all(this.workers.map(worker => worker.serving)), failure])
    this.timer = setInterval(() => this.look(), LOOK)
  }

  /** After an abort: workers that hang in a base are not waited for any more. */
  leaveStuck(): void {
    setTimeout(() => {
      if (this.running === 0) return
      debug('%d workers hang in a base; going on without them', this.running)
      for (const worker of this.workers) worker.leave()
      this.finishNow()
    }, PATIENCE).unref()
  }

  private add(): void {
    const worker = this.make(this.workers.length)
    this.workers.push(worker)
    this.running++
    worker.ended.then(error => {
      this.cause ??= error
      if (error !== null) this.onDeath()
      if (--this.running === 0) this.finishNow()
    })
  }

  /** All of them in the same request as at the last look: they are stuck, or as slow as if they were. */
  private look(): void {
    const now = this.workers.map((_, index) => this.turns[turnsOf(index)]!)
    const stuck = now.every((turns, index) => (turns & 1) === 1 && turns === this.seen[index])
    this.seen = now
    if (!stuck) return
    const count = Math.min(this.workers.length, MAX_WORKERS - this.workers.length)
    if (count > 0) debug('all %d workers are held up; starting %d more', this.workers.length, count)
    for (let n = 0; n < count; n++) this.add()
  }

  private finishNow(): void {
    clearInterval(this.timer)
    this.finish(this.cause)
  }
}
