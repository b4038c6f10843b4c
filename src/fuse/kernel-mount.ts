import { closeSync, constants, openSync, writeFileSync } from 'node:fs'
import { ImageError } from '../errors.js'
import { ioctl } from '../libc/devices.js'
import { describeErrno, errno, failed } from '../libc/errno.js'
import { IoBuffer } from '../libc/io-buffer.js'
import { lastErrno } from '../libc/library.js'
import {
  MS_NOATIME,
  MS_NODEV,
  MS_NOEXEC,
  MS_NOSUID,
  MS_RDONLY,
  MS_SYNCHRONOUS,
  mount,
} from '../libc/mounts.js'
import type { ChannelDescription } from './channel.js'
import { ConnectionControl } from './connection-control.js'
import { outOfDescriptors } from './descriptors.js'
import { fusermountMount } from './fusermount.js'
import { MAX_REQUEST } from './handshake.js'
import { findMount } from './mount-table.js'
import { MOUNT_SUBTYPE, MOUNT_TYPE } from './mountpoint.js'
import { findOwnMount, isConnected } from './own-mount.js'
import { FUSE_DEV_IOC_CLONE } from './protocol.js'
import { detach } from './unmount.js'

const DEVICE = '/dev/fuse'

export interface MountOptions {
  /** As checkMountpoint returns it. */
  readonly mountpoint: string
  /** What is mounted is a file, over a file. */
  readonly isFile?: boolean
  /** Shown as the source of the mount: the image. */
  readonly fsname: string
  readonly readOnly: boolean
  /** Lets other users in, as far as file modes do; needs user_allow_other in /etc/fuse.conf when not root. */
  readonly allowOther: boolean
  /** More options for the kernel, as one writes them after -o. */
  readonly extraOptions?: readonly string[]
}

/** What the kernel does by itself, whatever the file system; fusermount3 and libfuse know the same words. */
export type MountFlag = 'noexec' | 'noatime' | 'sync'

const FLAGS = new Map([
  ['ro', MS_RDONLY],
  ['nosuid', MS_NOSUID],
  ['nodev', MS_NODEV],
  ['noexec', MS_NOEXEC],
  ['noatime', MS_NOATIME],
  ['sync', MS_SYNCHRONOUS],
])

/**
 * Mounts: with mount(2) where that is permitted, else through fusermount3. The kernel waits for the answer to its
 * INIT (see handshake) before it lets anybody in. Throws an ImageError MOUNT.
 */
export function mountKernel(options: MountOptions): KernelMount {
  const fd = (process.geteuid!() === 0 ? mountPrivileged(options) : null) ?? mountAsUser(options)
  let mounted: KernelMount | null
  try {
    const entry = findMount(options.mountpoint)
    mounted = entry?.type === MOUNT_TYPE ? new KernelMount(fd, options.mountpoint, entry.minor) : null
  } catch (error) {
    // No descriptor is left: closing this one makes room for what the unmount takes.
    closeSync(fd)
    detach(options.mountpoint, true)
    throw error
  }
  if (mounted !== null) return mounted
  closeSync(fd)
  throw new ImageError('MOUNT', `${options.mountpoint}: the mount vanished at once: mount again`)
}

/** Null where the system does not permit it, in a container for example. */
function mountPrivileged(options: MountOptions): number | null {
  const fd = openDevice(0)
  const extra = options.extraOptions ?? []
  let flags = MS_NOSUID | MS_NODEV | (options.readOnly ? MS_RDONLY : 0)
  for (const option of extra) flags |= FLAGS.get(option) ?? 0
  const data = [
    `fd=${fd}`,
    `rootmode=${options.isFile ? '100000' : '40000'}`, // S_IFREG or S_IFDIR, in octal
    `user_id=${process.getuid!()}`,
    `group_id=${process.getgid!()}`,
    ...sharedOptions(options),
    ...extra.filter(option => !FLAGS.has(option)),
  ]
  if (mount(options.fsname, options.mountpoint, MOUNT_TYPE, flags, data.join(',')) === 0) return fd
  const error = lastErrno()
  closeSync(fd)
  if (error === errno.EPERM || error === errno.EACCES) return null
  const step = error === errno.ENODEV ? "try 'modprobe fuse'" : 'check the -o options'
  throw new ImageError('MOUNT', `${options.mountpoint}: mount: ${describeErrno(error)}: ${step}`, {
    errno: error,
  })
}

function mountAsUser(options: MountOptions): number {
  return fusermountMount(options.mountpoint, [
    `fsname=${options.fsname}`,
    `subtype=${MOUNT_SUBTYPE}`,
    ...(options.readOnly ? ['ro'] : []),
    ...sharedOptions(options),
    ...(options.extraOptions ?? []),
  ])
}

function sharedOptions(options: MountOptions): string[] {
  const always = ['default_permissions', `max_read=${MAX_REQUEST}`]
  return options.allowOther ? [...always, 'allow_other'] : always
}

function openDevice(flags: number): number {
  try {
    return openSync(DEVICE, constants.O_RDWR | flags)
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code
    if (code === 'ENOENT' || code === 'ENODEV' || code === 'ENXIO') {
      throw new ImageError('MOUNT', `${DEVICE}: the kernel has no FUSE: try 'modprobe fuse'`, { cause })
    }
    const exhausted = outOfDescriptors(DEVICE, cause)
    if (exhausted !== null) throw exhausted
    throw new ImageError(
      'MOUNT',
      `${DEVICE}: cannot be opened (${code}): mount as root, or install the package fuse3`,
      {
        cause,
      },
    )
  }
}

/** A mounted connection. Belongs to the main thread; workers get the numbers of their descriptors. */
export class KernelMount {
  private readonly clones: number[] = []
  private readonly control: ConnectionControl
  private isClosed = false

  constructor(
    /** What INIT is answered on, and what the mount lives by: closing the last descriptor ends it. */
    readonly fd: number,
    readonly mountpoint: string,
    /** The number of the connection in /sys/fs/fuse/connections. */
    readonly connection: number,
  ) {
    this.control = ConnectionControl.open(connection, mountpoint)
  }

  /** A further descriptor of the connection, with a queue of its own. Throws where /dev/fuse cannot be opened. */
  clone(nonblocking: boolean): number {
    const fd = openDevice(nonblocking ? constants.O_NONBLOCK : 0)
    const argument = new IoBuffer(4)
    argument.view.setUint32(0, this.fd, true)
    if (ioctl(fd, FUSE_DEV_IOC_CLONE, argument.address) < 0) {
      const error = failed('FUSE_DEV_IOC_CLONE', DEVICE)
      closeSync(fd)
      throw error
    }
    this.clones.push(fd)
    return fd
  }

  /** The descriptors for one more worker. All workers share the first one where it cannot be cloned. */
  openChannel(): ChannelDescription {
    try {
      return { sleeping: this.clone(false), looking: this.clone(true) }
    } catch {
      // Permitted by design: a user who may mount through fusermount3 need not be able to open /dev/fuse.
      return { sleeping: this.fd, looking: null }
    }
  }

  /** See detach(). The sessions end once it has returned, or later when `lazy`. Nothing happens when it is gone. */
  unmount(lazy = false): void {
    const place = findOwnMount(this.connection, this.mountpoint, !this.isClosed && isConnected(this.fd))
    if (place !== null) detach(place, lazy)
  }

  /** See ConnectionControl. */
  abort(): void {
    this.control.abort()
  }

  /** Sets how far the kernel reads ahead. False where that is not permitted. */
  setReadAhead(kib: number): boolean {
    try {
      writeFileSync(`/sys/class/bdi/0:${this.connection}/read_ahead_kb`, `${kib}`)
      return true
    } catch {
      // Only root may, and only where /sys is writable: the mount works without.
      return false
    }
  }

  /** Closes all descriptors, once the sessions have ended. */
  close(): void {
    for (const fd of [...this.clones, this.fd]) closeSync(fd)
    this.isClosed = true
    this.clones.length = 0
    this.control.close()
  }
}
