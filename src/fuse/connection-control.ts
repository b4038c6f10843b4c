import { closeSync, mkdtempSync, openSync, rmdirSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ImageError } from '../errors.js'
import { errno } from '../libc/errno.js'
import { lastErrno } from '../libc/library.js'
import { MNT_DETACH, MNT_FORCE, mount, UMOUNT_NOFOLLOW, umount2 } from '../libc/mounts.js'
import { outOfDescriptors } from './descriptors.js'
import { findMount } from './mount-table.js'

const CONTROL = '/sys/fs/fuse/connections'

/**
 * Ends one connection, however its mount ended before.
 *
 * The kernel knows connections by number, and gives the number of a mount that is gone to the next one: an abort by
 * number that comes late would cut off a stranger. So the file that aborts is opened while the mount is surely there, and
 * kept open. The kernel ties it to the connection, not to the number; once that is gone, writing to it does nothing.
 */
export class ConnectionControl {
  private isOver = false

  /** `fd`: of the file that aborts; null where there is none, in a container for example. */
  private constructor(
    private fd: number | null,
    private readonly connection: number,
    private readonly mountpoint: string,
  ) {}

  /** For the mount that is on top at `mountpoint` now, a path as the mount table has it. Throws ImageError MOUNT. */
  static open(connection: number, mountpoint: string): ConnectionControl {
    const fd = openAbort(CONTROL, connection) ?? openThroughOwnControl(connection)
    const control = new ConnectionControl(fd, connection, mountpoint)
    try {
      // Gone before the file was opened: whose it is, nobody knows.
      if (!control.isMounted()) control.close()
    } catch (error) {
      control.close()
      throw error
    }
    return control
  }

  /**
   * Ends the connection at once: who waits on the mount gets an error, and data that the kernel holds are lost. The mount
   * itself stays until it is unmounted, for which a descriptor is free then. Nothing happens when the connection is gone,
   * or this is closed.
   */
  abort(): void {
    if (this.isOver) return
    if (this.fd !== null) writeSync(this.fd, '1')
    else if (this.isMounted()) this.abortByForce()
    this.close()
  }

  close(): void {
    this.isOver = true
    if (this.fd !== null) closeSync(this.fd)
    this.fd = null
  }

  private isMounted(): boolean {
    return findMount(this.mountpoint)?.minor === this.connection
  }

  /** A forced unmount aborts too, even when it fails with EBUSY. */
  private abortByForce(): void {
    if (umount2(this.mountpoint, UMOUNT_NOFOLLOW | MNT_FORCE) === 0 || lastErrno() === errno.EBUSY) return
    throw new ImageError(
      'MOUNT',
      `${this.mountpoint}: cannot be cut off: ${CONTROL} is missing: mount it ('mount -t fusectl none ${CONTROL}')`,
    )
  }
}

/** Null where there is no such file, or it may not be opened. Throws ImageError MOUNT without a descriptor for it. */
function openAbort(control: string, connection: number): number | null {
  const path = join(control, `${connection}`, 'abort')
  try {
    return openSync(path, 'w')
  } catch (error) {
    const exhausted = outOfDescriptors(path, error)
    if (exhausted !== null) throw exhausted
    return null
  }
}

/** Mounts the control file system for a moment, where nobody looks. Null where that is not possible. */
function openThroughOwnControl(connection: number): number | null {
  const directory = makeDirectory()
  if (directory === null) return null
  try {
    if (mount('fusectl', directory, 'fusectl', 0, null) !== 0) return null
    try {
      return openAbort(directory, connection)
    } finally {
      umount2(directory, MNT_DETACH)
    }
  } finally {
    rmdirSync(directory)
  }
}

function makeDirectory(): string | null {
  if (process.geteuid!() !== 0) return null
  try {
    return mkdtempSync(join(tmpdir(), 'rawmount-control-'))
  } catch {
    return null // a full or read-only disk is no reason not to mount
  }
}
