import type { CopyPath } from '../disk/copy-path.js'
import type { CopySettings } from '../formats/copy-settings.js'
import type { ProfileEntry } from '../formats/profile.js'
import { errno, SystemError } from '../libc/errno.js'
import { tracer } from '../trace.js'
import { FAILURE_PAUSE, type PrefetchProgress, TRYING_AGAIN } from './prefetch-progress.js'
import type { Throttle } from './throttle.js'
import { Walk } from './walk.js'

const debug = tracer('copy')

/**
 * What one thread does for an image that is being filled from its base, step by step: first what readers fetched is
 * stored, then a piece of the base is fetched. Several copiers of one image share the work through `progress`.
 *
 *   waiting → running → done
 *               ⇅
 *             paused
 *
 * A piece that fails is left behind; the walk comes by again when it has reached the end. Done is what a whole walk
 * found nothing absent in, with no piece under way: blocks only ever leave the base, so nothing that guests write
 * meanwhile can be missed.
 */
export interface CopierTask {
  /** 0: the one that goes on when a guest is at work. */
  readonly index: number
  readonly settings: CopySettings
  /** When all is in the image, its header says so. */
  readonly detaches: boolean
  readonly profile: readonly ProfileEntry[]
  /** By the throttle's clock; null: never. */
  readonly profileAt: number | null
  readonly allAt: number | null
}

/** step() has nothing to do before the bell rings. */
export const IDLE = Number.POSITIVE_INFINITY

/** Milliseconds for which a guest counts as being at work after its last request. */
const GUEST_REST = 100
/** While it is: bytes of a piece, so that a request waits for that much at most. */
const GENTLE_PIECE = 128 << 10
/**
 * And the rest after it: as long as it took, and so many times the processor time that it took, and so many milliseconds,
 * as each awakening may hold up a request, and at most one in a hundred is to notice.
 */
const RESTS_PER_EFFORT = 10
const LEAST_REST = 5
/** Milliseconds after which the other threads look again. */
const LOOK_AGAIN = 20

/** Failures in a row that are only retried, in milliseconds; from then on there is a pause, which is shown. */
const RETRIES = [100, 400, 1600]

export class Copier {
  private readonly walk: Walk
  /** A piece was taken, and may be fetched from `notBefore` on. */
  private taken = false
  private notBefore = 0
  /** A whole walk found nothing. */
  private walkedThrough = false
  private activitySeen: number
  private activeUntil = 0

  constructor(
    private readonly copies: CopyPath,
    private readonly progress: PrefetchProgress,
    private readonly throttle: Throttle,
    private readonly task: CopierTask,
    private readonly clock: () => number,
    /** Milliseconds of processor time that this thread has had. */
    private readonly effort: () => number,
  ) {
    this.walk = new Walk(copies, progress, task.profile)
    this.activitySeen = copies.activity
  }

  /** Returns the milliseconds after which there may be something to do again; 0: at once. */
  step(): number {
    if (this.storeOne()) return 0
    const { progress } = this
    if (progress.state === 'off' || progress.state === 'done') return IDLE
    const now = this.clock()
    if (now < this.notBefore) return this.notBefore - now
    if (!this.taken) {
      const wait = this.take(now)
      if (wait > 0) return wait
    }
    if (this.walkedThrough) this.complete()
    else if (this.taken) this.fetch()
    return 0
  }

  /** Stores what a reader fetched; false when there is nothing. A range that cannot be stored is in the base still. */
  storeOne(): boolean {
    try {
      return this.copies.storeOne()
    } catch (error) {
      debug('what was read cannot be kept: %O', error)
      return true
    }
  }

  /** Takes the next piece; or returns how long there is none, 0 when something else was done. */
  private take(now: number): number {
    const gentle = this.isGuestAtWork(now)
    return this.progress.alone(() => {
      const wait = this.mayNot(now)
      if (wait > 0) return wait
      const { throttle, task, walk, progress } = this
      const most = Math.min(task.settings.pieceBytes, throttle.smoothPiece)
      // Who boots wants what the profile names, and at once.
      if (!(isDue(task.profileAt, now) && walk.nextOfProfile(most))) {
        if (!isDue(task.allAt, now)) return this.endOfProfile(now)
        if (gentle && task.index > 0) return LOOK_AGAIN
        if (!walk.next(gentle ? Math.min(most, GENTLE_PIECE) : most)) return this.endOfWalk()
      }
      if (progress.state !== 'running') progress.enter('running')
      progress.inFlight++
      this.taken = true
      this.notBefore = now + throttle.delayBefore(walk.length)
      return this.notBefore - now
    })
  }

  /** Milliseconds for which nothing is to be fetched; 0: it may be. */
  private mayNot(now: number): number {
    const { progress, throttle, task } = this
    if (!isDue(task.profileAt, now) && !isDue(task.allAt, now)) {
      const start = Math.min(task.profileAt ?? IDLE, task.allAt ?? IDLE)
      return start - now
    }
    if (now < progress.resumeAt) return progress.resumeAt - now
    const until = throttle.pauseUntil()
    if (until <= now) return 0
    const slow = throttle.why === 'image' ? 'the image takes' : 'the base gives'
    const least = throttle.why === 'image' ? task.settings.leastWriteRate : task.settings.leastReadRate
    progress.enter('paused', `${slow} less than ${perSecond(least)}: others are using it`)
    return until - now
  }

  private endOfProfile(now: number): number {
    const { progress, task } = this
    if (task.allAt !== null) {
      progress.enter('waiting', 'the profile was fetched; the rest is to come later')
      return task.allAt - now
    }
    if (progress.inFlight === 0) progress.enter('off', 'the profile was fetched, and no more is asked for')
    return LOOK_AGAIN
  }

  private endOfWalk(): number {
    const { progress, walk } = this
    if (progress.inFlight > 0) return LOOK_AGAIN
    if (progress.foundAny) {
      walk.restart()
      return 0
    }
    progress.inFlight++
    this.walkedThrough = true
    return 0
  }

  private fetch(): void {
    const { copies, progress, throttle, walk } = this
    const begun = this.clock()
    const begunEffort = this.effort()
    let failure: unknown = null
    try {
      const fetched = copies.copyPiece(walk.offset, walk.length, throttle)
      // What the base has nothing in costs nobody anything.
      throttle.giveBack(walk.length - fetched)
    } catch (error) {
      failure = error
    }
    this.taken = false
    const now = this.clock()
    // A guest that is at work needs the storage, too, and still more the processor.
    if (this.isGuestAtWork(now)) {
      this.notBefore =
        now + Math.max(LEAST_REST, now - begun, RESTS_PER_EFFORT * (this.effort() - begunEffort))
    }
    progress.alone(() => {
      progress.inFlight--
      if (failure !== null) this.fail(failure, now)
      else {
        progress.failures = 0
        progress.requests++
      }
    })
  }

  /** Everything is in the image. */
  private complete(): void {
    const { copies, progress, task } = this
    this.walkedThrough = false
    let failure: unknown = null
    try {
      if (task.detaches) copies.becomeIndependent()
      else copies.flush()
      copies.countNone()
    } catch (error) {
      failure = error
    }
    progress.alone(() => {
      progress.inFlight--
      if (failure === null) progress.enter('done')
      else this.fail(failure, this.clock())
    })
    copies.ring.ring()
  }

  private fail(error: unknown, now: number): void {
    const { progress } = this
    debug('%O', error)
    const isFull = error instanceof SystemError && error.errno === errno.ENOSPC
    // Pieces that were under way together fail together.
    if (now < progress.resumeAt && !isFull) return
    const retry = RETRIES[progress.failures++]
    if (retry !== undefined && !isFull) {
      progress.resumeAt = now + retry
      return
    }
    progress.resumeAt = now + FAILURE_PAUSE
    progress.enter('paused', `${(error as Error).message}${TRYING_AGAIN}`)
  }

  private isGuestAtWork(now: number): boolean {
    const { activity } = this.copies
    if (activity !== this.activitySeen) {
      this.activitySeen = activity
      this.activeUntil = now + GUEST_REST
    }
    return now < this.activeUntil
  }
}

function isDue(time: number | null, now: number): boolean {
  return time !== null && now >= time
}

function perSecond(bytes: number): string {
  return `${Math.round(bytes / 104857.6) / 10} MiB/s`
}
