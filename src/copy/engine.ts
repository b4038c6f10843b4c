import { Worker } from 'node:worker_threads'
import { Copying, copies } from '../disk/copying.js'
import type { OpenImage } from '../disk/open.js'
import type { ProfileEntry } from '../formats/profile.js'
import { tracer } from '../trace.js'
import type { CopierTask } from './copier.js'
import type { CopierMessage, CopierThreadTask } from './copier-thread.js'
import { PrefetchProgress } from './prefetch-progress.js'
import { chooseProfile, keepProfile } from './profile-keeping.js'
import { type CopyProgressDescription, type CopyStatus, copyStatus } from './status.js'
import { monotonicTime, Throttle } from './throttle.js'

const debug = tracer('copy')

/** More requests to the base at a time are not made, whatever the image says. */
const MOST_THREADS = 16

/** Milliseconds for which stop() waits for copiers that are storing something. */
const STORING_LIMIT = 60_000

/** Milliseconds in which a copier that is not stuck in the base ends what it has begun. */
const ENDING_LIMIT = 5000

/**
 * Fills an image from its base: keeps the copier threads, and lets the base go when nothing is left there. Belongs to
 * the thread that opened the image. stop() comes before the image is closed.
 */
export class CopyEngine {
  /** For threads that show the status. */
  readonly progress: CopyProgressDescription
  /** Resolves when all is in the image. */
  readonly finished: Promise<void>
  /** Resolves, with the error, only if a copier fails: it may have held locks. */
  readonly died: Promise<Error>
  private readonly threads: Worker[] = []
  private readonly ended: Promise<unknown>[] = []
  private readonly copying: Copying
  private readonly timers: NodeJS.Timeout[] = []
  private readonly counted: Promise<void>
  private begin: () => void = () => {}
  private finish: () => void = () => {}
  private fail: (error: Error) => void = () => {}
  private isDone = false
  private stopped: Promise<void> | null = null

  /** What the user must know, a line each. */
  readonly warnings: readonly string[]
  private readonly profile: readonly ProfileEntry[]

  /** Null where nothing is copied from a base. Throws ImageError for a profile that cannot be had. */
  static for(image: OpenImage): CopyEngine | null {
    return image.copying !== null && copies(image.copying.settings) ? new CopyEngine(image) : null
  }

  private constructor(private readonly image: OpenImage) {
    const { entries, warnings } = chooseProfile(image)
    this.profile = entries
    this.warnings = warnings
    const copying = image.disk.describe().copying!
    this.copying = new Copying(copying)
    this.progress = {
      copying,
      settings: image.copying!.settings,
      progress: PrefetchProgress.allocate(),
      throttle: Throttle.allocate(),
    }
    this.finished = new Promise(resolve => {
      this.finish = resolve
    })
    this.counted = new Promise(resolve => {
      this.begin = resolve
    })
    this.died = new Promise(resolve => {
      this.fail = resolve
    })
  }

  /**
   * Starts the threads: the delays count from here. With `patient` the one that only keeps what is read waits for
   * something to keep: a hundred images that nobody reads need no hundred threads.
   */
  start(patient = false): void {
    const { copyOnRead, prefetchDelay, profileDelay, slots } = this.progress.settings
    const first = Math.min(prefetchDelay ?? NEVER, profileDelay ?? NEVER)
    if (first === NEVER) {
      if (copyOnRead && patient) this.copying.ring.rung().then(() => this.startLate())
      else if (copyOnRead) this.startThread(0)
      return
    }
    const reason = first === 0 ? null : `starts ${first} s after the mount`
    new PrefetchProgress(this.progress.progress).enter('waiting', reason)
    const begun = monotonicTime()
    this.startThread(0, begun)
    const others = () => {
      if (this.copying.gate.isEnding) return
      for (let index = 1; index < Math.min(slots, MOST_THREADS); index++) this.startThread(index, begun)
    }
    const settled = this.image.copying!.request.steady ? 0 : SETTLING
    const delay = Math.min(Math.max(first * 1000, settled), LONGEST_TIMER)
    const due = new Promise<void>(resolve => {
      this.timers.push(setTimeout(resolve, delay).unref())
    })
    Promise.all([due, this.counted]).then(others)
  }

  private startLate(): void {
    if (!this.copying.gate.isEnding) this.startThread(0)
  }

  status(): CopyStatus {
    return copyStatus(this.progress)
  }

  /**
   * Returns when no copier touches the image any more, and what was recorded of a profile is kept. A copier that is stuck
   * in the base is left there: it touches nothing when it comes back. Rejects with ImageError when the profile cannot be
   * kept.
   */
  stop(): Promise<void> {
    this.stopped ??= this.end()
    return this.stopped
  }

  private async end(): Promise<void> {
    for (const timer of this.timers) clearTimeout(timer)
    const { gate, ring } = this.copying
    gate.announceEnd()
    ring.ring()
    let timer: NodeJS.Timeout | undefined
    const late = new Promise(resolve => {
      timer = setTimeout(resolve, ENDING_LIMIT)
    })
    await Promise.race([Promise.all(this.ended), late])
    clearTimeout(timer)
    gate.close()
    if (!gate.waitUntilEmpty(STORING_LIMIT)) debug('a copier does not come to its end; going on without')
    // Who is stuck does not keep the process.
    for (const thread of this.threads) thread.unref()
    keepProfile(this.image)
  }

  private startThread(index: number, begun = 0): void {
    const { settings, progress, throttle } = this.progress
    const at = (delay: number | null) => (delay === null ? null : begun + delay * 1000)
    const task: CopierTask = {
      index,
      settings,
      detaches: this.image.copying!.detaches && settings.writeBase === 'no',
      profile: this.profile,
      profileAt: at(settings.profileDelay),
      allAt: at(settings.prefetchDelay),
    }
    const workerData: CopierThreadTask = { disk: this.image.disk.describe(), progress, throttle, task }
    const thread = new Worker(new URL('./copier-thread.js', import.meta.url), { workerData })
    thread.on('message', (message: CopierMessage) => {
      debug('copier %d: %s', index, message)
      if (message === 'done') this.done(task)
      else this.begin()
    })
    thread.on('error', error => {
      debug('copier %d: %O', index, error)
      this.fail(error as Error)
    })
    this.threads.push(thread)
    this.ended.push(new Promise(resolve => thread.once('exit', resolve)))
  }

  private done({ detaches }: CopierTask): void {
    if (this.isDone) return
    this.isDone = true
    if (detaches) this.image.letGoOfBases()
    this.finish()
  }
}

const NEVER = Number.POSITIVE_INFINITY

/** Milliseconds until more than one thread is started: whoever mounts wants the first bytes, and the processor, at once. */
const SETTLING = 1000

/** Milliseconds that a timer can take. */
const LONGEST_TIMER = 2 ** 31 - 1
