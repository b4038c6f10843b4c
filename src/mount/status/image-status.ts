import { type CopyProgressDescription, type CopyStatus, copyStatus } from '../../copy/status.js'
import type { Disk } from '../../disk/disk.js'
import type { ChainMember } from '../../disk/open.js'
import { hideCredentials } from '../../storage/http/url.js'
import type { ImageRequest } from '../image-request.js'

/** What about an image never changes while it is mounted. */
export interface ImageFacts {
  readonly image: string
  readonly readOnly: boolean
  /** The file that writes go to instead, or "temp"; null without one. */
  readonly overlay: string | null
  readonly format: string
  readonly virtualSize: number
  readonly clusterSize?: number | undefined
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

/** How an image is doing. */
export interface ImageProgress {
  readonly metadata: { readonly pending: number; readonly commits: number }
  readonly prefetch: CopyStatus['prefetch']
  readonly copyOnRead: CopyStatus['copyOnRead']
  /** Null where nothing is copied from a base. */
  readonly base: CopyStatus['base'] | null
  /** Null where writes go to the image alone. */
  readonly baseWrites: BaseWritesStatus | null
}

export interface BaseWritesStatus {
  readonly mode: string
  /** Bytes that the base has still to get, in whole units. */
  readonly behind: number
  /** Why it does not get them; 0 while nothing is wrong. */
  readonly errno: number
}

export function imageFacts(
  { path, readOnly }: ImageRequest,
  chain: readonly ChainMember[],
  overlay: string | null,
): ImageFacts {
  const members = chain.map(({ path, format, size, info, backingName, dataFile }) => ({
    filename: path,
    format,
    virtualSize: size,
    ...(info.clusterSize === undefined ? {} : { clusterSize: info.clusterSize }),
    ...(backingName === null ? {} : { backingFile: hideCredentials(backingName) }),
    ...(dataFile === null ? {} : { dataFile }),
  }))
  const { format, virtualSize, clusterSize } = members[overlay === null ? 0 : 1]!
  return { image: hideCredentials(path), readOnly, overlay, format, virtualSize, clusterSize, chain: members }
}

export function imageProgress(disk: Disk, copying: CopyProgressDescription | null): ImageProgress {
  return {
    metadata: { pending: disk.pending(), commits: disk.commits },
    ...(copying === null ? NO_COPYING : copyStatus(copying)),
    baseWrites: baseWrites(disk),
  }
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
