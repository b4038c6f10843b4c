import { readdirSync, readlinkSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { ImageError } from '../errors.js'
import { catchStderr } from '../libc/stderr.js'
import { ConnectionControl } from './connection-control.js'
import type { Counters } from './counters.js'
import { outOfDescriptors } from './descriptors.js'
import type { FileSystem } from './file-system.js'
import { escapeOption, nextStep, withoutNames } from './fusermount.js'
import type { MountOptions } from './kernel-mount.js'
import { loadFuseNative } from './libfuse-load.js'
import { LibfuseOperations } from './libfuse-operations.js'
import { findMount } from './mount-table.js'
import { MOUNT_SUBTYPE } from './mountpoint.js'
import { findOwnMount, isConnected } from './own-mount.js'
import { detach, detachWithProgram } from './unmount.js'

/**
 * The second transport: the same FileSystem behind libfuse 2, through the package fuse-native. Its threads pass every
 * request to the main thread and wait there, so the main thread must never wait for the mount: unmounting, which has the
 * kernel write back, is done by a program of its own.
 *
 * What libfuse 2 with fuse-native has no call for: fallocate (no punched holes), SEEK_DATA and SEEK_HOLE (everything
 * is data), the write-back cache, requests above 128 KiB, direct I/O for a single file (status files are read anew when
 * their mtime changed), times to the nanosecond. Its utimens hands on atime in the place of mtime.
 */
export interface LibfuseOptions extends MountOptions {
  readonly counters: Counters
}

export interface LibfuseMount {
  readonly connection: number
  /** Fulfilled when no request will come any more, whoever ended the mount. */
  readonly finished: Promise<void>
  /** See detach(). Fulfilled once the mount has left the mount table, `finished` may come later when `lazy`. */
  unmount(lazy?: boolean): Promise<void>
  /** See ConnectionControl. */
  abort(): void
}

/** The package cuts its line of options at 1024 bytes; what is left of that for the name of the image. */
const FSNAME_LIMIT = 600
/** Milliseconds between looks whether libfuse has ended: it tells nobody. */
const WATCH_INTERVAL = 250

/** Mounts and serves until the mount is gone; main thread only. Throws an ImageError MOUNT. */
export async function serveLibfuse(fs: FileSystem, options: LibfuseOptions): Promise<LibfuseMount> {
  const { mountpoint } = options
  const FuseNative = loadFuseNative()
  const before = deviceDescriptors()
  const fuse = new FuseNative(mountpoint, new LibfuseOperations(fs, options.counters).handlers(), {
    timeout: false, // else each request gets a timer
    fsname: escapeOption(shorten(options.fsname)),
    // Options are joined with commas, which lets in those that the package does not know.
    subtype: [
      MOUNT_SUBTYPE,
      'big_writes', // else writes come in pages
      'use_ino',
      ...(options.readOnly ? ['ro'] : []),
      ...(options.extraOptions ?? []).map(escapeOption),
    ].join(','),
    defaultPermissions: true,
    allowOther: options.allowOther,
    autoCache: true,
    entryTimeout: '86400', // the tree is fixed
    attrTimeout: '0', // status files change their size
  })
  const endCatching = catchStderr()
  let error: Error | null
  let said = ''
  try {
    error = await withoutTracing(() => new Promise<Error | null>(resolve => fuse.mount(resolve)))
  } finally {
    said = endCatching()
  }
  if (error !== null) throw refused(mountpoint, said, error)
  if (said !== '') process.stderr.write(said)
  let mount: LibfuseMount | null
  try {
    mount = findMounted(mountpoint, before)
  } catch (error) {
    // The threads of libfuse would go on for as long as the mount is there.
    detach(mountpoint, true)
    throw outOfDescriptors(mountpoint, error) ?? error
  }
  if (mount !== null) return mount
  throw new ImageError('MOUNT', `${mountpoint}: the mount vanished at once: mount again`)
}

/** What was just mounted; null when it is gone. `before`: the descriptors of /dev/fuse that there were already. */
function findMounted(mountpoint: string, before: readonly number[]): LibfuseMount | null {
  const fd = deviceDescriptors().find(number => !before.includes(number))
  const entry = findMount(mountpoint)
  if (fd === undefined || entry === null) return null
  const control = ConnectionControl.open(entry.minor, mountpoint)
  return {
    connection: entry.minor,
    finished: untilClosed(fd).then(() => control.close()),
    async unmount(lazy) {
      const place = findOwnMount(entry.minor, mountpoint, isDevice(fd) && isConnected(fd))
      if (place !== null) await detachWithProgram(place, lazy)
    },
    abort: () => control.abort(),
  }
}

/** libfuse tells its reasons on stderr only, which a daemon has none of. */
function refused(mountpoint: string, output: string, cause: Error): ImageError {
  const said = withoutNames(output) || cause.message
  const exhausted = /Too many open files/.test(said) && outOfDescriptors(mountpoint, new Error('EMFILE'))
  if (exhausted) return exhausted
  const step = nextStep(said) ?? 'mount on a directory of your own, or use --transport kernel'
  return new ImageError('MOUNT', `${mountpoint}: libfuse could not mount: ${said}: ${step}`, { cause })
}

/** The end of the name tells more than its beginning. */
function shorten(fsname: string): string {
  const bytes = Buffer.from(fsname)
  return bytes.length <= FSNAME_LIMIT
    ? fsname
    : `…${bytes
        .subarray(-FSNAME_LIMIT)
        .toString()
        .replace(/^\uFFFD+/, '')}`
}

/** A DEBUG variable with a star in it would have libfuse trace every request; it means this program's own tracing. */
async function withoutTracing<T>(action: () => Promise<T>): Promise<T> {
  const { DEBUG } = process.env
  delete process.env.DEBUG
  try {
    return await action()
  } finally {
    if (DEBUG !== undefined) process.env.DEBUG = DEBUG
  }
}

/** libfuse closes its descriptor of /dev/fuse when its loop has ended, after an unmount as well as an abort. */
async function untilClosed(fd: number): Promise<void> {
  while (isDevice(fd)) await sleep(WATCH_INTERVAL)
}

function deviceDescriptors(): number[] {
  return readdirSync('/proc/self/fd').map(Number).filter(isDevice)
}

function isDevice(fd: number): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`) === '/dev/fuse'
  } catch {
    return false // closed: that is what is being asked
  }
}
