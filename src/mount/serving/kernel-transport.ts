import { createSessionWords } from '../../fuse/channel.js'
import { handshake } from '../../fuse/handshake.js'
import { mountKernel } from '../../fuse/kernel-mount.js'
import type { MountOptions } from '../options.js'
import type { TreeDescription } from '../tree/mounted-tree.js'
import { SessionWorker } from './session-worker.js'
import type { Transport } from './transport.js'
import { WorkerPool } from './worker-pool.js'

/** KiB that the kernel reads ahead of a sequential reader; 4096 measured no faster. */
const READ_AHEAD = 1024

/** Mounts, and serves from worker threads. Resolves when all of them wait for requests. */
export async function serveKernel(options: MountOptions, tree: TreeDescription): Promise<Transport> {
  const mount = mountKernel({
    mountpoint: options.mountpoint,
    fsname: options.image,
    readOnly: options.readOnly,
    allowOther: options.allowOther,
  })
  try {
    const { writeback } = handshake(mount.fd, options.cache)
    mount.setReadAhead(READ_AHEAD)
    const words = createSessionWords()
    const direct = options.cache === 'none'
    const pool = new WorkerPool(
      index => new SessionWorker({ index, channel: mount.openChannel(), words, tree, direct, writeback }),
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
      finished: pool.ended.then(died => {
        mount.close()
        if (died !== null) mount.unmount(true)
        return died
      }),
    }
  } catch (error) {
    mount.abort()
    mount.unmount(true)
    throw error
  }
}
