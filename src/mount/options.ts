import type { CopyRequest } from '../disk/copying.js'
import type { BackingPolicy } from '../disk/gate.js'
import type { CacheMode } from '../fuse/handshake.js'

export type TransportName = 'auto' | 'kernel' | 'libfuse'

/** Everything that decides how an image is mounted; a plain object, as it travels to the daemon. */
export interface MountOptions {
  /** Absolute paths: the daemon's working directory is another. */
  readonly image: string
  readonly mountpoint: string
  /** Null: by the file's magic. */
  readonly format: string | null
  readonly readOnly: boolean
  readonly transport: TransportName
  /** Session workers, with the kernel transport. */
  readonly threads: number
  readonly cache: CacheMode
  /** Seconds after which pending metadata are committed without being asked. */
  readonly commitInterval: number
  /** Bytes. */
  readonly metadataCache: number
  readonly backing: BackingPolicy
  /** Names in headers may lead to block devices. */
  readonly allowDevices: boolean
  /** The shell command that an image's header names for making room may be run. */
  readonly allowAddStorageCmd: boolean
  /** What is to be copied from the base; not of a read-only mount. */
  readonly copying: CopyRequest
  /** The mount point may have files in it, which are hidden meanwhile. */
  readonly nonempty: boolean
  readonly allowOther: boolean
  /** Owner and permissions of what is shown; null: who mounts, and 0600 or 0400. */
  readonly uid: number | null
  readonly gid: number | null
  readonly umask: number | null
  readonly foreground: boolean
  readonly debug: boolean
}
