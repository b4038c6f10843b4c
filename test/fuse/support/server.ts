import { fstatSync, openSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { Worker } from 'node:worker_threads'
import { createSessionWords } from '../../../src/fuse/channel.js'
import { Counters, createCounters, sumCounters } from '../../../src/fuse/counters.js'
import { type CacheMode, handshake } from '../../../src/fuse/handshake.js'
import { type MountOptions, mountKernel } from '../../../src/fuse/kernel-mount.js'
import { serveLibfuse } from '../../../src/fuse/libfuse.js'
import { checkMountpoint } from '../../../src/fuse/mountpoint.js'
import { attachServed, type ServedDescription } from './served-file-system.js'
import type { WorkerData } from './server-worker.js'

/**
 * A program that serves a small tree at a mount point, for tests: `node server.js '{"mountpoint": …}'`. Prints one line
 * of JSON when the mount answers, obeys lines of one word on its standard input, and prints one more line at the end.
 */
export interface ServerOptions {
  readonly mountpoint: string
  readonly transport?: 'kernel' | 'libfuse'
  readonly cache?: CacheMode
  readonly workers?: number
  /** No clones: all workers read the mounted descriptor. */
  readonly oneDescriptor?: boolean
  readonly size?: number
  readonly faultOffset?: number
  readonly backing?: string
  readonly fsname?: string
  readonly readOnly?: boolean
  readonly allowOther?: boolean
  readonly uid?: number
}

const options = JSON.parse(process.argv[2]!) as ServerOptions
if (options.uid !== undefined) {
  process.setgid!(options.uid)
  process.setuid!(options.uid)
}
const cache = options.cache ?? 'writeback'
const workers = options.workers ?? 2
const counters = createCounters(workers)
const fd = options.backing === undefined ? -1 : openSync(options.backing, 'r+')
const served: ServedDescription = {
  memory: new SharedArrayBuffer(fd < 0 ? (options.size ?? 8 * 1024 * 1024) : 0),
  ...(options.faultOffset === undefined ? {} : { faultOffset: options.faultOffset }),
  ...(fd < 0 ? {} : { backing: { fd, size: fstatSync(fd).size } }),
}
const mountOptions: MountOptions = {
  mountpoint: checkMountpoint(options.mountpoint).path,
  fsname: options.fsname ?? 'test, image',
  readOnly: options.readOnly ?? false,
  allowOther: options.allowOther ?? false,
}
await (options.transport === 'libfuse' ? libfuse() : kernel())

async function libfuse(): Promise<void> {
  const mount = await serveLibfuse(attachServed(served), {
    ...mountOptions,
    counters: new Counters(counters, 0),
  })
  say({ connection: mount.connection })
  obey(
    lazy => mount.unmount(lazy),
    () => {},
  )
  await mount.finished
  say({ outcomes: [], counters: sumCounters(counters) })
  process.exit(0)
}

async function kernel(): Promise<void> {
  const mount = mountKernel(mountOptions)
  const negotiated = handshake(mount.fd, cache)
  const readAhead = mount.setReadAhead(1024)
  const shared = createSessionWords()
  const outcomes: string[] = []
  for (let index = 0; index < workers; index++) {
    const workerData: WorkerData = {
      index,
      channel: options.oneDescriptor ? { sleeping: mount.fd, looking: null } : mount.openChannel(),
      shared,
      counters,
      direct: cache === 'none',
      writeback: negotiated.writeback,
      served,
    }
    const worker = new Worker(new URL('./server-worker.js', import.meta.url), { workerData })
    worker.on('error', error => {
      console.error(error)
      process.exit(3)
    })
    worker.on('message', outcome => {
      outcomes.push(outcome)
      if (outcomes.length < workers) return
      mount.close()
      say({ outcomes, counters: sumCounters(counters) })
      process.exit(0)
    })
  }
  say({ negotiated, readAhead, connection: mount.connection })
  obey(
    async lazy => mount.unmount(lazy),
    () => mount.abort(),
  )
}

function say(line: object): void {
  console.log(JSON.stringify(line))
}

/** One word a line; a test that dies closes the pipe, which unmounts too. */
function obey(unmount: (lazy: boolean) => Promise<void>, abort: () => void): void {
  createInterface({ input: process.stdin })
    .on('line', async word => {
      try {
        if (word === 'abort') abort()
        else await unmount(word === 'lazy')
      } catch (error) {
        say({ error: (error as Error).message, errno: (error as { errno?: number }).errno })
      }
    })
    .on('close', () => unmount(true))
}
