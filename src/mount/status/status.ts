import type { CopyProgressDescription, CopyStatus } from '../../copy/status.js'
import type { Disk } from '../../disk/disk.js'
import { latenciesOf, sumCounters, type Totals } from '../../fuse/counters.js'
import { KINDS, Kind, quantile } from '../../fuse/latencies.js'
import type { MountOptions } from '../options.js'
import { type ImageFacts, type ImageProgress, imageProgress } from './image-status.js'

/** What about a mount never changes. */
export interface MountFacts {
  readonly pid: number
  readonly mountpoint: string
  readonly transport: 'kernel' | 'libfuse'
  readonly threads: number
  readonly cache: string
  /** ISO 8601. */
  readonly mounted: string
}

/** What was asked of a mount or an image, since the mount. */
export interface Requests {
  readonly requests: Omit<Totals, 'bytesRead' | 'bytesWritten' | 'errors'>
  readonly bytes: { readonly read: number; readonly written: number }
  /** Requests that were answered with one. */
  readonly errors: number
  /** Null for one of many images. */
  readonly latency: Latency | null
}

/** Microseconds below which half, and 99 of 100, of the requests stayed, to a power of two; 0 where there were none. */
export type Latency = Readonly<Record<keyof typeof Kind, { readonly p50: number; readonly p99: number }>>

/** What .rawmount/status.json says of an image. Sizes and sums in bytes, rates in bytes per second. */
export interface MountStatus extends MountFacts, ImageFacts, Requests, ImageProgress {}

/** The same file above the folders of many images, which have one each of their own. */
export interface FoldersStatus extends MountFacts, Requests {
  readonly images: readonly FolderFacts[]
  /** What was asked for and could not be opened. */
  readonly failed: readonly FailedImage[]
}

/** `folder` is its name below the mount point. */
export type FolderFacts = { readonly folder: string } & Pick<
  ImageFacts,
  'image' | 'overlay' | 'format' | 'virtualSize' | 'readOnly'
>

export interface FailedImage {
  readonly image: string
  readonly reason: string
}

export function mountFacts(
  { mountpoint, threads, cache }: MountOptions,
  transport: 'kernel' | 'libfuse',
  mounted: number,
): MountFacts {
  return {
    pid: process.pid,
    mountpoint,
    transport,
    threads: transport === 'kernel' ? threads : 1,
    // libfuse 2 has no other.
    cache: transport === 'kernel' ? cache : 'writethrough',
    mounted: new Date(mounted).toISOString(),
  }
}

/** The status of an image, as of now. */
export function imageStatus(
  mount: MountFacts,
  image: ImageFacts,
  disk: Disk,
  counters: SharedArrayBuffer,
  copying: CopyProgressDescription | null,
  several = false,
): MountStatus {
  const { chain, ...facts } = image
  return { ...mount, ...facts, chain, ...requests(counters, !several), ...imageProgress(disk, copying) }
}

/** The text of .rawmount/status.json of an image. */
export function renderStatus(status: MountStatus): string {
  const shown = { ...status, prefetch: fitting(status.prefetch) }
  return `${alignNumbers(JSON.stringify(shown, null, 2))}${padding(shown)}\n`
}

/** The status of a mount with many images, as of now. */
export function foldersStatus(
  mount: MountFacts,
  images: readonly FolderFacts[],
  failed: readonly FailedImage[],
  counters: SharedArrayBuffer,
): FoldersStatus {
  return { ...mount, ...requests(counters, true), images, failed }
}

/** The text of .rawmount/status.json above the folders of many images. */
export function renderFolders(status: FoldersStatus): string {
  return `${alignNumbers(JSON.stringify(status, null, 2))}\n`
}

function requests(counters: SharedArrayBuffer, timed: boolean): Requests {
  const { bytesRead, bytesWritten, errors, ...requests } = sumCounters(counters)
  const bytes = { read: bytesRead, written: bytesWritten }
  return { requests, bytes, errors, latency: timed ? latency(counters) : null }
}

function latency(counters: SharedArrayBuffer): Latency {
  const kinds = KINDS.map(name => {
    const times = latenciesOf(counters, Kind[name])
    return [name, { p50: quantile(times, 0.5), p99: quantile(times, 0.99) }]
  })
  return Object.fromEntries(kinds) as Latency
}

/*
 * The text keeps its size while what it says changes. Programs ask for a file's size first and then read as many bytes:
 * a counter that grows a digit in between must not cut the text.
 */

/** Every number as wide as the widest can be. */
function alignNumbers(json: string): string {
  return json
    .replace(/: (\d+)(,?)$/gm, (_, digits: string, comma: string) => `: ${digits.padStart(WIDEST)}${comma}`)
    .replace(/"remaining": null/, `"remaining": ${'null'.padStart(WIDEST)}`)
}

const WIDEST = `${Number.MAX_SAFE_INTEGER}`.length

/** Blanks for what the words that change are shorter than they can be. */
function padding({ base, prefetch: { state, reason } }: MountStatus): string {
  if (base === null) return ''
  return ' '.repeat(LONGEST_STATE - state.length + LONGEST_REASON - jsonLength(reason))
}

const LONGEST_STATE = 'waiting'.length
/** Bytes of JSON. */
const LONGEST_REASON = 320

/** With a reason that leaves out its middle where it would be too long, the names of files in deep directories. */
function fitting(prefetch: CopyStatus['prefetch']): CopyStatus['prefetch'] {
  const { reason } = prefetch
  if (reason === null || jsonLength(reason) <= LONGEST_REASON) return prefetch
  const characters = [...reason]
  let shown = reason
  for (let keep = LONGEST_REASON; jsonLength(shown) > LONGEST_REASON; keep -= 2) {
    const half = Math.min(keep, characters.length - 1) >> 1
    shown = [...characters.slice(0, half), '…', ...characters.slice(-half)].join('')
  }
  return { ...prefetch, reason: shown }
}

function jsonLength(text: string | null): number {
  return Buffer.byteLength(JSON.stringify(text))
}
