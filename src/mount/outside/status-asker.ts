import { join } from 'node:path'
import { ImageError } from '../../errors.js'
import type { MountEntry } from '../../fuse/mount-table.js'
import { errno } from '../../libc/errno.js'
import type { FoldersStatus, MountStatus } from '../status/status.js'
import { Asker } from './asker.js'
import { findServer } from './find-server.js'
import { readElsewhere } from './read-elsewhere.js'

/** Milliseconds after which a daemon that has not told its status counts as hanging. */
const PATIENCE = 10_000

/** Asks one mount for its status, again and again, one question at a time, and does not hang when its daemon does. */
export class StatusAsker {
  private readonly asker = new Asker()
  private readonly closed = new AbortController()

  constructor(private readonly mount: MountEntry) {}

  /**
   * What the mount, or the folder of an image in it at `path`, says about itself. Throws as readStatus does; with errno
   * ETIMEDOUT when no answer comes.
   */
  async ask(path = this.mount.mountpoint): Promise<MountStatus | FoldersStatus> {
    const late = AbortSignal.timeout(PATIENCE)
    try {
      return JSON.parse(await this.read(join(path, '.rawmount/status.json'), late))
    } catch {
      if (late.aborted) throw this.hangs()
      this.closed.signal.throwIfAborted()
    }
    // It has no such file, or says why not: asked so, both can be told, which takes longer.
    const reply = await this.asker.ask(path, PATIENCE)
    if (reply === null) throw this.hangs()
    if ('status' in reply) return reply.status
    throw new ImageError('MOUNT', reply.failure.message, { errno: reply.failure.errno })
  }

  /** What is in a file of the mount. Rejects when it cannot be read. */
  read(path: string, late = AbortSignal.timeout(PATIENCE)): Promise<string> {
    return readElsewhere(path, AbortSignal.any([late, this.closed.signal]))
  }

  /** Ends what still waits for an answer. */
  close(): void {
    this.closed.abort()
    this.asker.close()
  }

  private hangs(): ImageError {
    const { mountpoint, minor } = this.mount
    const pid = findServer(minor)
    const daemon = pid === null ? 'its daemon' : `its daemon (process ${pid})`
    const kill = pid === null ? '' : `, or 'kill -9 ${pid}' and 'rawmount umount ${mountpoint}'`
    return new ImageError(
      'MOUNT',
      `${mountpoint}: ${daemon} does not answer: wait for it, or force an end, which loses what was not flushed: 'umount -f ${mountpoint}'${kill}`,
      { errno: errno.ETIMEDOUT },
    )
  }
}
