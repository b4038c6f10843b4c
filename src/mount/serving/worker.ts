import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { type ChannelDescription, DeviceChannel } from '../../fuse/channel.js'
import { Counters } from '../../fuse/counters.js'
import { Session } from '../../fuse/session.js'
import { mountedTree, type TreeDescription } from '../tree/mounted-tree.js'

/** What a session worker is started with. */
export interface WorkerTask {
  readonly index: number
  readonly channel: ChannelDescription
  readonly words: SharedArrayBuffer
  readonly tree: TreeDescription
  readonly direct: boolean
  readonly writeback: boolean
  /** Takes requests that the invalidator answers; null where nothing is written. */
  readonly deferred: MessagePort | null
}

/** Posted once before the first request, and once after the last; in between for what the size keeper sets right. */
export type WorkerMessage = 'serving' | 'unmounted' | 'aborted' | { readonly overreached: number }

/** A session worker: its whole life is one synchronous loop, so nothing can be posted to it. */
const { index, channel, words, tree, direct, writeback, deferred } = workerData as WorkerTask
const session = new Session(
  new DeviceChannel(channel, words, index),
  mountedTree(tree, index),
  new Counters(tree.counters, index),
  {
    direct,
    writeback,
    shared: words,
    overreached: inode => parentPort!.postMessage({ overreached: inode } satisfies WorkerMessage),
  },
  request => deferred!.postMessage(request),
)
parentPort!.postMessage('serving' satisfies WorkerMessage)
parentPort!.postMessage(session.run() satisfies WorkerMessage)
