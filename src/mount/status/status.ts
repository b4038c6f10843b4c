import { type CopyProgressDescription, type CopyStatus, copyStatus } from '../../copy/status.js'
import type { Disk } from '../../disk/disk.js'
import type { ChainMember } from '../../disk/open.js'
import { sumCounters, type Totals } from '../../fuse/counters.js'
import { hideCredentials } from '../../storage/http/url.js'
import type { MountOptions } from '../options.js'

/** What about a mount never changes. */
export interface StatusFacts {
  readonly pid: number
  readonly image: string
  readonly mountpoint: string
  readonly transport: 'kernel' | 'libfuse'
  readonly threads: number
  readonly cache: string
  readonly readOnly: boolean
  /** ISO 8601. */
  readonly mounted: string
  readonly chain: readonly ChainStatus[]
}

/** What .rawmount/status.json says. Sizes and sums in bytes, rates in bytes per second. */
export interface MountStatus extends StatusFacts {
  readonly format: string
  readonly virtualSize: number
  readonly clusterSize?: number | undefined
  /** Since the mount. */
  readonly requests: Omit<Totals, 'bytesRead' | 'bytesWritten' | 'errors'>
  readonly bytes: { readonly read: number; readonly written: number }
  /** Requests that were answered with one. */
  readonly errors: number
  readonly metadata: { readonly pending: number; readonly commits: number }
  readonly prefetch: CopyStatus['prefetch']
  readonly copyOnRead: CopyStatus['copyOnRead']
  /** Null where nothing is copied from a base. */
  readonly base: CopyStatus['base'] | null
  /** Null where writes go to the image alone. */
  readonly baseWrites: BaseWritesStatus | null
}

interface BaseWritesStatus {
  readonly mode: string
  /** Bytes that the base has still to get, in whole units. */
  readonly behind: number
  /** Why it does not get them; 0 while nothing is wrong. */
  readonly errno: number
}

interface ChainStatus {
  readonly filename: string
  readonly format: string
  /** Bytes. */
  readonly virtualSize: number
  readonly clusterSize?: number
  readonly backingFile?: string
  readonly dataFile?: string
}

export function statusFacts(
  options: MountOptions,
  transport: 'kernel' | 'libfuse',
  chain: readonly ChainMember[],
  mounted: number,
): StatusFacts {
  return {
    pid: process.pid,
    image: hideCredentials(options.image),
    mountpoint: options.mountpoint,
    transport,
    threads: transport === 'kernel' ? options.threads : 1,
    // libfuse 2 has no other.
    cache: transport === 'kernel' ? options.cache : 'writethrough',
    readOnly: options.readOnly,
    mounted: new Date(mounted).toISOString(),
    chain: chain.map(({ path, format, size, info, backingName, dataFile }) => ({
      filename: path,
      format,
      virtualSize: size,
      ...(info.clusterSize === undefined ? {} : { clusterSize: info.clusterSize }),
      ...(backingName === null ? {} : { backingFile: hideCredentials(backingName) }),
      ...(dataFile === null ? {} : { dataFile }),
    })),
  }
}

/** The text of .rawmount/status.json, as of now. */
export function renderStatus(
  facts: StatusFacts,
  disk: Disk,
  counters: SharedArrayBuffer,
  copying: CopyProgressDescription | null,
): string {
  const { bytesRead, bytesWritten, errors, ...requests } = sumCounters(counters)
  const { chain, ...mount } = facts
  const [{ format, virtualSize, clusterSize }] = chain
  const status: MountStatus = {
    ...mount,
    format,
    virtualSize,
    clusterSize,
    chain,
    requests,
    bytes: { read: bytesRead, written: bytesWritten },
    errors,
    metadata: { pending: disk.pending(), commits: disk.commits },
    ...(copying === null ? NO_COPYING : fitting(copyStatus(copying))),
    baseWrites: baseWrites(disk),
  }
  return `${alignNumbers(JSON.stringify(status, null, 2))}${padding(status)}\n`
}

function baseWrites({ baseWriter }: Disk): BaseWritesStatus | null {
  if (baseWriter === null) return null
  const { mode, behind, fault } = baseWriter
  return { mode, behind, errno: fault }
}

/** Of a mount without a base, or that only reads. */
const NO_COPYING = {
  prefetch: { state: 'off', reason: null, copied: 0, readRate: 0, writeRate: 0, requests: 0 },
  copyOnRead: { on: false, copied: 0, skipped: 0, queued: 0 },
  base: null,
} as const

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
function fitting(status: CopyStatus): CopyStatus {
  const { reason } = status.prefetch
  if (reason === null || jsonLength(reason) <= LONGEST_REASON) return status
  const characters = [...reason]
  let shown = reason
  for (let keep = LONGEST_REASON; jsonLength(shown) > LONGEST_REASON; keep -= 2) {
    const half = Math.min(keep, characters.length - 1) >> 1
    shown = [...characters.slice(0, half), '…', ...characters.slice(-half)].join('')
  }
  return { ...status, prefetch: { ...status.prefetch, reason: shown } }
}

function jsonLength(text: string | null): number {
  return Buffer.byteLength(JSON.stringify(text))
}
