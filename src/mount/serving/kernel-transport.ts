import { setTimeout as sleep } from 'node:timers/promises'
import type { ImageError } from '../../errors.js'
import { createSessionWords } from '../../fuse/channel.js'
import { outOfDescriptors } from '../../fuse/descriptors.js'
import { handshake } from '../../fuse/handshake.js'
import { type KernelMount, mountKernel } from '../../fuse/kernel-mount.js'
import { errno } from '../../libc/errno.js'
import { tracer } from '../../trace.js'
import type { MountOptions } from '../options.js'
import { isReadOnly, type TreeDescription } from '../tree/mounted-tree.js'
import { Invalidation } from './invalidation.js'
import { SessionWorker } from './session-worker.js'
import { SizeKeeper } from './size-keeper.js'
import type { Transport } from './transport.js'
import { WorkerPool } from './worker-pool.js'

const debug = tracer('mount')

/** KiB that the kernel reads ahead of a sequential reader; 4096 measured no faster. */
const READ_AHEAD = 1024

/** Mounts, and serves from worker threads. Resolves when all of them wait for requests. */
export async function serveKernel(options: MountOptions, tree: TreeDescription): Promise<Transport> {
  const mount = mountKernel({
    mountpoint: options.mountpoint,
    isFile: tree.layout === 'file',
    fsname: tree.source,
    readOnly: isReadOnly(tree),
    allowOther: options.allowOther,
    extraOptions: options.flags,
  })
  try {
    const { writeback } = handshake(mount.fd, options.cache)
    mount.setReadAhead(READ_AHEAD)
    const words = createSessionWords()
    const direct = options.cache === 'none'
    let unanswered: Error | null = null
    const invalidation = new Invalidation(tree, error => {
      unanswered = error
      mount.abort()
    })
    const sizes = new SizeKeeper(options.mountpoint, tree)
    const pool = new WorkerPool(
      index => {
        const deferred = isReadOnly(tree) ? null : invalidation.openPort()
        return new SessionWorker(
          { index, channel: mount.openChannel(), words, tree, direct, writeback, deferred },
          inode => sizes.restore(inode),
        )
      },
      words,
      // One that dies would leave its requests unanswered for ever: all of them get an error at once instead.
      () => mount.abort(),
    )
    await pool.start(options.threads)
    return {
      name: 'kernel',
      unmount: async lazy => mount.unmount(lazy),
      abort: () => {
        mount.abort()
        pool.leaveStuck()
      },
      finished: pool.ended.then(async ended => {
        await Promise.all([invalidation.stop(), sizes.stop()])
        const died = ended ?? unanswered
        mount.close()
        if (died !== null) mount.unmount(true)
        return died
      }),
    }
  } catch (error) {
    await undo(mount)
    throw outOfDescriptors(options.mountpoint, error) ?? error
  }
}

/** Milliseconds between two tries, and how many there are. */
const PAUSE = 20
const TRIES = 250

/**
 * What made the mount fail, a lack of descriptors say, may make its end fail as well; threads that end because of the abort
 * give theirs back, but not at once.
 */
async function undo(mount: KernelMount): Promise<void> {
  for (const step of [() => mount.abort(), () => mount.unmount(true)]) {
    for (let tries = 1; ; tries++) {
      try {
        step()
        break
      } catch (error) {
        debug('after a mount that failed: %O', error)
        if (tries === TRIES || (error as ImageError).errno !== errno.EMFILE) break
        await sleep(PAUSE)
      }
    }
  }
}
