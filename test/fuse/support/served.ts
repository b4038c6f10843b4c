import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface, type Interface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'
import type { Totals } from '../../../src/fuse/counters.js'
import type { Negotiated } from '../../../src/fuse/handshake.js'
import { type Scratch, scratch } from '../../support/mounting.js'
import type { ServerOptions } from './server.js'

export const SERVER = fileURLToPath(new URL('./server.js', import.meta.url))

/** What the server says when it begins, when a command failed, and when it ends. */
export interface Said {
  readonly negotiated?: Negotiated
  readonly connection?: number
  readonly error?: string
  readonly errno?: number
  readonly outcomes?: readonly string[]
  readonly counters?: Totals
}

/** A running server of test/fuse/support, as its user sees it. */
export class Served {
  private readonly lines: AsyncIterator<string>

  constructor(
    readonly mountpoint: string,
    readonly child: ChildProcess,
    reader: Interface,
  ) {
    this.lines = reader[Symbol.asyncIterator]()
  }

  get disk(): string {
    return `${this.mountpoint}/disk.raw`
  }

  async next(): Promise<Said> {
    const { value, done } = await this.lines.next()
    if (done) throw new Error('the server said no more')
    return JSON.parse(value) as Said
  }

  /** Sends a command; returns what the server says next. */
  command(word: 'unmount' | 'lazy' | 'abort'): Promise<Said> {
    this.child.stdin!.write(`${word}\n`)
    return this.next()
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL')
    if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, 'exit')
  }
}

/** Starts a server on a new directory; what is left of it at the end of the test is removed. */
export async function startServer(
  t: ExecutionContext,
  options: Omit<ServerOptions, 'mountpoint'> = {},
): Promise<{ served: Served; work: Scratch; first: Said }> {
  const work = await scratch(t)
  const served = startAt(work, await work.directory('mnt'), options)
  t.teardown(() => served.kill())
  return { served, work, first: await served.next() }
}

/** The same in a known place. stderr is the test's own, for a server that does not start. */
export function startAt(
  work: Scratch,
  mountpoint: string,
  options: Omit<ServerOptions, 'mountpoint'> = {},
): Served {
  const child = spawn(process.execPath, [SERVER, JSON.stringify({ ...options, mountpoint })], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, RAWMOUNT_TEST_DIRECTORY: work.path },
  })
  child.stdin!.on('error', () => {})
  return new Served(mountpoint, child, createInterface({ input: child.stdout! }))
}
