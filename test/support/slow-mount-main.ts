import { createInterface } from 'node:readline'
import { Worker } from 'node:worker_threads'
import { createSessionWords } from '../../src/fuse/channel.js'
import { createCounters } from '../../src/fuse/counters.js'
import { handshake } from '../../src/fuse/handshake.js'
import { mountKernel } from '../../src/fuse/kernel-mount.js'
import { SlowControl, type SlowOptions } from './slow-file.js'
import type { SlowWorkerTask } from './slow-mount-worker.js'

/** What the parent sends, a line each; each is answered by a line. */
export type SlowRequest =
  | { readonly do: 'set'; readonly options: SlowOptions }
  | { readonly do: 'counts' }
  | { readonly do: 'reads' }
  | { readonly do: 'reset' }

/** The end of its input unmounts and ends it, whoever closed that. */
const THREADS = 8

const [mountpoint, ...paths] = process.argv.slice(2) as [string, ...string[]]
const mount = mountKernel({ mountpoint, fsname: 'slow', readOnly: true, allowOther: true })
handshake(mount.fd, 'none')
const words = createSessionWords()
const counters = createCounters(THREADS)
const memory = SlowControl.allocate()
const control = new SlowControl(memory)
const workers = Array.from({ length: THREADS }, (_, index) => {
  const channel = mount.openChannel()
  const task: SlowWorkerTask = { index, channel, words, counters, paths, control: memory }
  return new Worker(new URL('./slow-mount-worker.js', import.meta.url), { workerData: task })
})
// Their start takes the processors that a measurement would find busy.
await Promise.all(workers.map(worker => new Promise(resolve => worker.once('message', resolve))))
say({ mounted: true })
// Unmounted by somebody else.
Promise.all(workers.map(worker => new Promise(resolve => worker.once('exit', resolve)))).then(() =>
  process.exit(0),
)
const input = createInterface({ input: process.stdin })
input.on('line', line => say(answer(JSON.parse(line) as SlowRequest)))
input.on('close', () => {
  mount.unmount(true)
  mount.abort()
  // Threads that hang would keep the process.
  process.kill(process.pid, 'SIGKILL')
})

function answer(request: SlowRequest): unknown {
  if (request.do === 'counts') return control.counts()
  if (request.do === 'reads') return control.reads()
  if (request.do === 'set') control.set(request.options)
  else control.reset()
  return {}
}

function say(reply: unknown): void {
  process.stdout.write(`${JSON.stringify(reply)}\n`)
}
