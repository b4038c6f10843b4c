import type { CopyStatus } from '../../copy/status.js'
import { humanDuration } from './human-duration.js'
import { humanSize } from './human-size.js'
import { percent } from './progress-bar.js'

/** How `rawmount prefetch` stands, or has ended. */
export interface Course {
  readonly image: string
  /** As the image names it. */
  readonly base: string
  readonly state: 'running' | 'done' | 'stopped' | 'failed'
  /** Why it ended before all was there: a signal, or an error. */
  readonly reason: string | null
  /** Null without a base. */
  readonly copying: CopyStatus | null
  readonly seconds: number
  /** Bytes per second that were read from the base: lately, or in the mean when it has ended. */
  readonly rate: number
  /** Null where nobody can say. */
  readonly secondsLeft: number | null
  /** The image says in its header that it needs no base any more. */
  readonly independent: boolean
  /** The image is the cache of its base: writes go to both. */
  readonly isCache: boolean
  /** All that was fetched is durable. */
  readonly closed: boolean
}

/** Bytes of the disk that are in the image already, of those that the base covers. */
export function doneBytes({ base: { total, remaining } }: CopyStatus): number {
  return remaining === null ? 0 : Math.max(0, total - remaining)
}

/** One line, at the end. */
export function forPeople(course: Course): string {
  const { image, state } = course
  const text = state === 'done' ? whenDone(course) : whenNot(course)
  // Errors name their file themselves.
  return text.startsWith(`${image}: `) ? text : `${image}: ${text}`
}

function whenDone({ image, base, copying, seconds, rate, independent, isCache }: Course): string {
  const fetched = whatWasFetched(base, copying!, seconds, rate)
  if (isCache) return `${fetched}; it stays the base, as writes go there, too`
  return independent
    ? `${fetched}, and it is not needed any more`
    : `${fetched}; it is still named in the header: 'rawmount prefetch --detach ${image}' takes the name away`
}

function whatWasFetched(name: string, { prefetch, base }: CopyStatus, seconds: number, rate: number): string {
  if (prefetch.copied === 0) return `nothing was left in ${name}`
  if (base.read === 0) return `nothing but holes was left in ${name}`
  return `${humanSize(base.read)} fetched in ${shortly(seconds)} (${humanSize(Math.round(rate))}/s), nothing is left in ${name}`
}

function shortly(seconds: number): string {
  return seconds < 10 ? `${seconds.toFixed(1)} s` : humanDuration(seconds)
}

function whenNot({ state, reason, copying, closed }: Course): string {
  const { base } = copying!
  const kept = !closed
    ? `the last seconds' work may be lost, and the image is not marked as closed`
    : base.remaining === null
      ? 'what was fetched is kept'
      : `${humanSize(doneBytes(copying!))} of ${humanSize(base.total)} (${percent(doneBytes(copying!), base.total).trim()}) are in the image, and kept`
  const why = state === 'stopped' ? `ended by ${reason}` : reason
  return `${why}; ${kept}; the same command goes on from there`
}

/** Sizes in bytes, rates in bytes per second. */
export function forPrograms(course: Course): Record<string, unknown> {
  const { image, state, reason, copying, seconds, rate, secondsLeft, independent } = course
  return {
    image,
    state,
    reason,
    done: copying === null ? 0 : doneBytes(copying),
    total: copying?.base.total ?? 0,
    remaining: copying === null ? 0 : copying.base.remaining,
    copied: copying?.prefetch.copied ?? 0,
    read: copying?.base.read ?? 0,
    errors: copying?.base.errors ?? 0,
    rate: Math.round(rate),
    seconds: Number(seconds.toFixed(1)),
    secondsLeft: secondsLeft === null ? null : Number(secondsLeft.toFixed(1)),
    independent,
  }
}
