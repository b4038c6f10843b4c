import { parentPort, workerData } from 'node:worker_threads'
import { type ChannelDescription, DeviceChannel } from '../../src/fuse/channel.js'
import { Counters } from '../../src/fuse/counters.js'
import { Session } from '../../src/fuse/session.js'
import { Tree } from '../../src/mount/tree/tree.js'
import { SlowControl, SlowFile } from './slow-file.js'

export interface SlowWorkerTask {
  readonly index: number
  readonly channel: ChannelDescription
  readonly words: SharedArrayBuffer
  readonly counters: SharedArrayBuffer
  readonly paths: readonly string[]
  readonly control: SharedArrayBuffer
}

const { index, channel, words, counters, paths, control } = workerData as SlowWorkerTask
const children = paths.map(path => new SlowFile(path, new SlowControl(control)))
const tree = new Tree({ name: '', children }, { uid: 0, gid: 0 }, 0o555, Date.now(), () => {})
parentPort!.postMessage('serving')
new Session(new DeviceChannel(channel, words), tree, new Counters(counters, index), {
  direct: true,
  writeback: false,
  shared: words,
}).run()
