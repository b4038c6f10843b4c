import type { Disk } from '../disk/disk.js'
import type { ChainMember } from '../disk/open.js'
import { sumCounters } from '../fuse/counters.js'
import type { MountOptions } from './options.js'

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
    image: options.image,
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
      ...(backingName === null ? {} : { backingFile: backingName }),
      ...(dataFile === null ? {} : { dataFile }),
    })),
  }
}

/** The text of .rawmount/status.json, as of now. */
export function renderStatus(facts: StatusFacts, disk: Disk, counters: SharedArrayBuffer): string {
  const { bytesRead, bytesWritten, errors, ...requests } = sumCounters(counters)
  const { chain, ...mount } = facts
  const [{ format, virtualSize, clusterSize }] = chain
  const status = {
    ...mount,
    format,
    virtualSize,
    clusterSize,
    chain,
    requests,
    bytes: { read: bytesRead, written: bytesWritten },
    errors,
    metadata: { pending: disk.pending(), commits: disk.commits },
  }
  return `${alignNumbers(JSON.stringify(status, null, 2))}\n`
}

/**
 * Every number as wide as the widest can be. Programs ask for a file's size first and then read as many bytes: counters
 * that grow a digit in between must not cut the text.
 */
function alignNumbers(json: string): string {
  return json.replace(
    /: (\d+)(,?)$/gm,
    (_, digits: string, comma: string) => `: ${digits.padStart(WIDEST)}${comma}`,
  )
}

const WIDEST = `${Number.MAX_SAFE_INTEGER}`.length
