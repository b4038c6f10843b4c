import { roundUp } from '../bytes.js'
import { ImageError } from '../errors.js'
import { type CopySettings, DEFAULT_COPY_SETTINGS, type WriteBase } from '../formats/copy-settings.js'
import type { WritableDriver } from '../formats/driver.js'
import type { OpenedImage } from '../formats/format.js'
import { FetchRing } from '../shared/fetch-ring.js'
import { Gate } from '../shared/gate.js'
import { RangeLock } from '../shared/range-lock.js'
import { Tally } from '../shared/tally.js'
import type { Layer } from './layer.js'
import { ProfileRecorder, type RecorderDescription } from './profile-recorder.js'

/** "image": as its header says, which only FVD has. */
export type Switch = 'on' | 'off' | 'image'

/** What the user wants of an image's base. */
export interface CopyRequest {
  readonly copyOnRead: Switch
  readonly prefetch: Switch
  /** Bytes per second at most; null: as the image says. */
  readonly prefetchRate: number | null
  /** When all is in the image, the name of the base goes from its header, where that needs to be asked for (QED). */
  readonly detach: boolean
  readonly recordProfile: boolean
  /** Where the profile is that is fetched first; "on": the image's own, or the file beside it. */
  readonly prefetchProfile: Switch | { readonly path: string }
  readonly writeBase: 'image' | WriteBase
  /** Pauses for a slow base or image, and the image's limit of writes, are left out: nobody else waits for them. */
  readonly steady?: boolean
}

/** What will be done about it. */
export interface CopyPlan {
  readonly request: CopyRequest
  /** As the image and the request say. */
  readonly settings: CopySettings
  /** When all is in the image, its header says so, and the base is let go. */
  readonly detaches: boolean
}

/** What threads that copy from the base to the image share; part of a DiskDescription. */
export interface CopyingDescription {
  /** Copy-on-read. */
  readonly keeps: boolean
  /** Bytes of the disk that the base covers, in whole grains. */
  readonly covered: number
  readonly ring: SharedArrayBuffer
  readonly fetches: SharedArrayBuffer
  readonly tally: SharedArrayBuffer
  /** One word that changes with each request of the guest. */
  readonly activity: SharedArrayBuffer
  /** Closed before the image is. */
  readonly gate: SharedArrayBuffer
  /** Null when no profile is recorded. */
  readonly recorder: RecorderDescription | null
}

/** Cells of the tally; all in bytes but where it says so. */
export const Sum = {
  /** Read from the base's files; how often; how often that failed. */
  baseRead: 0,
  baseReads: 1,
  baseErrors: 2,
  /** Stored in the image, by who: the guest wrote it, someone had read it, it was fetched ahead. */
  written: 3,
  kept: 4,
  prefetched: 5,
  /** Read and not kept. */
  skipped: 6,
  /** What was in the base when it was counted, and what was stored until then; -1: not yet counted. */
  counted: 7,
  length: 8,
} as const

/** Bytes that left the base for the image. */
export function storedBytes(tally: Tally): number {
  return tally.get(Sum.written) + tally.get(Sum.kept) + tally.get(Sum.prefetched)
}

/** For the layers of an image that is open for writing on a base. */
export function describeCopying(layers: readonly Layer[], settings: CopySettings): CopyingDescription {
  const [top, base] = layers as [Layer, Layer]
  const { copyOnRead, outstanding, recordProfile } = settings
  const { grain, absentEnd } = top.driver as WritableDriver
  const covered = Math.min(absentEnd, roundUp(base.driver.size, grain))
  const tally = Tally.allocate(Sum.length)
  new Tally(tally).set(Sum.counted, -1)
  return {
    keeps: copyOnRead,
    covered,
    ring: FetchRing.allocate(copyOnRead ? outstanding : 0),
    fetches: RangeLock.allocate(),
    tally,
    activity: new SharedArrayBuffer(64),
    gate: Gate.allocate(),
    recorder: recordProfile ? ProfileRecorder.allocate(covered, grain) : null,
  }
}

/** One thread's view. */
export class Copying {
  readonly keeps: boolean
  readonly covered: number
  readonly ring: FetchRing
  /** Taken before the range lock, never after it. */
  readonly fetches: RangeLock
  readonly tally: Tally
  readonly activity: Int32Array
  readonly gate: Gate
  readonly recorder: ProfileRecorder | null

  constructor(description: CopyingDescription) {
    this.keeps = description.keeps
    this.covered = description.covered
    this.ring = new FetchRing(description.ring)
    this.fetches = new RangeLock(description.fetches)
    this.tally = new Tally(description.tally)
    this.activity = new Int32Array(description.activity)
    this.gate = new Gate(description.gate)
    this.recorder = description.recorder && new ProfileRecorder(description.recorder)
  }

  /** Notes that [start, end) left the base for the image. */
  stored(sum: number, start: number, end: number): void {
    const count = Math.min(end, this.covered) - start
    if (count > 0) this.tally.add(sum, count)
  }
}

/** What holds for an image that is open for writing on a base. Throws ImageError INVALID for what it cannot do. */
export function planCopying(path: string, opened: OpenedImage, request: CopyRequest): CopyPlan {
  const own = opened.copySettings ?? DEFAULT_COPY_SETTINGS
  const { copyOnRead, prefetch, prefetchProfile } = request
  const fault =
    (copyOnRead === 'on' ? opened.copyOnReadFault : null) ??
    (prefetch === 'on' || isOn(prefetchProfile) ? opened.prefetchFault : null)
  if (fault) throw new ImageError('INVALID', fault)
  const settings: CopySettings = {
    ...own,
    copyOnRead: copyOnRead === 'image' ? own.copyOnRead : copyOnRead === 'on',
    prefetchDelay: delay(prefetch, own.prefetchDelay),
    profileDelay: isOn(prefetchProfile) ? 0 : delay(prefetchProfile as Switch, own.profileDelay),
    recordProfile: request.recordProfile || own.recordProfile,
    writeBase: request.writeBase === 'image' ? own.writeBase : request.writeBase,
    mostReadRate: request.prefetchRate ?? own.mostReadRate,
    mostWriteRate: request.steady ? Number.POSITIVE_INFINITY : own.mostWriteRate,
    leastReadRate: request.steady ? 0 : own.leastReadRate,
    leastWriteRate: request.steady ? 0 : own.leastWriteRate,
  }
  if (request.detach && settings.prefetchDelay === null) {
    throw new ImageError(
      'INVALID',
      `${path}: --detach takes the base away when all of it was fetched, and nothing is; say --prefetch=on, too`,
    )
  }
  const keepsBase = settings.writeBase !== 'no'
  return { request, settings, detaches: !keepsBase && (request.detach || opened.driver.format === 'fvd') }
}

function isOn(profile: CopyRequest['prefetchProfile']): boolean {
  return profile === 'on' || typeof profile === 'object'
}

/** Seconds. */
function delay(asked: Switch, own: number | null): number | null {
  return asked === 'image' ? own : asked === 'on' ? 0 : null
}

/** Whether reads and writes have to take notice of copying at all. */
export function copies({ copyOnRead, prefetchDelay, profileDelay, recordProfile }: CopySettings): boolean {
  return copyOnRead || recordProfile || prefetchDelay !== null || profileDelay !== null
}
