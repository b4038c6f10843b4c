import type { CopyRequest } from '../disk/copying.js'
import type { BackingPolicy } from '../disk/gate.js'
import type { CacheMode } from '../fuse/handshake.js'
import type { MountFlag } from '../fuse/kernel-mount.js'

export type TransportName = 'auto' | 'kernel' | 'libfuse'

/** Everything that decides how images are mounted; a plain object, as it travels to the daemon. */
export interface MountOptions {
  /** Images, and directories of images: URLs and absolute paths, as the daemon's working directory is another. */
  readonly images: readonly string[]
  /** An absolute path. */
  readonly mountpoint: string
  /** Of all images; null: by the file's magic. */
  readonly format: string | null
  readonly readOnly: boolean
  /** Where writes go instead of to the images. */
  readonly overlay: OverlayRequest | null
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
  /** What the kernel is asked to do beside. */
  readonly flags: readonly MountFlag[]
  /** Owner and permissions of what is shown; null: who mounts, and 0600 or 0400. */
  readonly uid: number | null
  readonly gid: number | null
  readonly umask: number | null
  /** An absolute path: where the serving process leaves its number. */
  readonly pidfile: string | null
  readonly foreground: boolean
  readonly debug: boolean
  /** An absolute path; null: what happens is told to nobody but who looks. */
  readonly logFile: string | null
}

/** Where writes go, so that the image itself stays as it is, byte for byte. */
export interface OverlayRequest {
  /** An absolute path; null for one that is gone after the unmount. */
  readonly path: string | null
  /** Null: of what is there; of one that has to be made by the name of the file, else QED. */
  readonly format: 'fvd' | 'qed' | null
  /** An absolute path: the directory for what is gone after the unmount. */
  readonly temporary: string
}
