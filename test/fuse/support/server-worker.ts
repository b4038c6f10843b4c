import { parentPort, workerData } from 'node:worker_threads'
import { type ChannelDescription, DeviceChannel } from '../../../src/fuse/channel.js'
import { Counters } from '../../../src/fuse/counters.js'
import { Session } from '../../../src/fuse/session.js'
import { attachServed, type ServedDescription } from './served-file-system.js'

/** A session worker, as the daemon has them. */
export interface WorkerData {
  readonly index: number
  readonly channel: ChannelDescription
  readonly shared: SharedArrayBuffer
  readonly counters: SharedArrayBuffer
  readonly direct: boolean
  readonly writeback: boolean
  readonly served: ServedDescription
}

const data = workerData as WorkerData
const session = new Session(
  new DeviceChannel(data.channel, data.shared),
  attachServed(data.served),
  new Counters(data.counters, data.index),
  data,
)
parentPort!.postMessage(session.run())
