import { Worker } from 'node:worker_threads'
import { tracer } from '../../trace.js'
import type { TreeDescription } from '../tree/mounted-tree.js'
import type { SizeKeeperTask } from './size-keeper-thread.js'

const debug = tracer('mount')

/**
 * Gives files their size back. With the write-back cache the size is the kernel's own: it takes a write beyond the end into
 * its cache, lets the file grow, and asks nobody. That the disk does not go that far is found when the pages are sent, and
 * told by fsync or close; what stays is a file that is too long, with pages that are nowhere else. A truncate to the size
 * that it has sets that right.
 *
 * It waits for writes of the file that are under way, and for the inode's lock, which an fsync may hold that the
 * invalidator is to answer. So neither a session worker nor the invalidator may do it, but a thread that others do not wait
 * for; it is started when it is first needed. Belongs to the main thread.
 */
export class SizeKeeper {
  private thread: Worker | null = null

  constructor(
    private readonly mountpoint: string,
    private readonly tree: TreeDescription,
  ) {}

  restore(inode: number): void {
    debug('somebody writes beyond the end of inode %d', inode)
    this.thread ??= this.start()
    this.thread.postMessage(inode)
  }

  /** When no request comes any more, and so nothing keeps the thread waiting. */
  async stop(): Promise<void> {
    await this.thread?.terminate()
  }

  private start(): Worker {
    const workerData: SizeKeeperTask = { mountpoint: this.mountpoint, tree: this.tree }
    const thread = new Worker(new URL('./size-keeper-thread.js', import.meta.url), { workerData })
    // The file stays too long then, as it did before; the disk is as it should be.
    thread.on('error', error => debug('the size keeper died: %O', error))
    thread.unref()
    return thread
  }
}
