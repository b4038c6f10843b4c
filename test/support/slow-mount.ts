import type { ChildProcess } from 'node:child_process'
import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { LoggedRead, ReadCounts, SlowOptions } from './slow-file.js'
import type { SlowRequest } from './slow-mount-main.js'

const MAIN = fileURLToPath(new URL('./slow-mount-main.js', import.meta.url))

/** Whose process it is, and must be gone in the end: a Scratch, or the bench. */
export interface Starter {
  join(name: string): string
  start(command: string, ...args: string[]): ChildProcess
}

/**
 * Files behind a mount of their own that is as slow, and as broken, as it is told to be: a base on a network. Every
 * read comes through, and is counted. Needs root. Served by another process, which ends with its standard input.
 */
export class SlowMount {
  private readonly lines: AsyncIterator<string>

  private constructor(
    readonly path: string,
    private readonly child: ChildProcess,
  ) {
    this.lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  }

  /** Shows the files that lie in `source` in the new directory `name`. */
  static async start(
    starter: Starter,
    name: string,
    source: string,
    options: SlowOptions = {},
  ): Promise<SlowMount> {
    const path = starter.join(name)
    mkdirSync(path)
    const files = readdirSync(source, { withFileTypes: true }).filter(entry => entry.isFile())
    const paths = files.map(entry => join(source, entry.name))
    const slow = new SlowMount(path, starter.start(process.execPath, MAIN, path, ...paths))
    await slow.reply()
    await slow.set(options)
    return slow
  }

  /** Where a file is seen. */
  file(name: string): string {
    return join(this.path, name)
  }

  async set(options: SlowOptions): Promise<void> {
    await this.ask({ do: 'set', options })
  }

  async counts(): Promise<ReadCounts> {
    return (await this.ask({ do: 'counts' })) as ReadCounts
  }

  /** The first 65536 reads since the start or the last resetCounts(). */
  async reads(): Promise<LoggedRead[]> {
    return (await this.ask({ do: 'reads' })) as LoggedRead[]
  }

  async resetCounts(): Promise<void> {
    await this.ask({ do: 'reset' })
  }

  /** As a server that goes down: who has files open gets errors from now on. */
  async stop(): Promise<void> {
    const ended = new Promise(resolve => this.child.once('exit', resolve))
    this.child.stdin!.end()
    await ended
  }

  private async ask(request: SlowRequest): Promise<unknown> {
    this.child.stdin!.write(`${JSON.stringify(request)}\n`)
    return this.reply()
  }

  private async reply(): Promise<unknown> {
    const { value, done } = await this.lines.next()
    if (!done) return JSON.parse(value)
    const said: Buffer | null = this.child.stderr?.read() ?? null
    throw new Error(`the slow mount ended: ${said?.toString() ?? 'without a word'}`)
  }
}
