import { spawn } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { SlowMount, type Starter } from '../../test/support/slow-mount.js'
import type { Cleanup } from '../cleanup.js'
import { run } from '../program.js'
import type { Speed } from './speed.js'

const NAME = 'base.raw'
const MiB = 2 ** 20

/**
 * A raw base on a mount of a set speed, which counts what is read of it and keeps nothing of it in a cache: all fillers
 * have the same one.
 */
export class SlowBase {
  private constructor(
    /** Of the disk in it, bytes. */
    readonly size: number,
    private readonly mount: SlowMount,
  ) {}

  /** Has the first `size` bytes of `template`. */
  static async make(
    directory: string,
    { template, size, speed }: { template: string; size: number; speed: Speed },
    cleanup: Cleanup,
  ): Promise<SlowBase> {
    const library = join(directory, 'library')
    await mkdir(library)
    await run('dd', [
      `if=${template}`,
      `of=${join(library, NAME)}`,
      'bs=1M',
      `count=${size / MiB}`,
      'status=none',
    ])
    const mount = await SlowMount.start(starter(directory), 'slow', library, speed)
    cleanup.add(() => mount.stop())
    return new SlowBase(size, mount)
  }

  get path(): string {
    return this.mount.file(NAME)
  }

  async set(speed: Speed): Promise<void> {
    await this.mount.set(speed)
  }

  /** Bytes that were read of it since forget(). */
  async bytesRead(): Promise<number> {
    return (await this.mount.counts()).bytes
  }

  async forget(): Promise<void> {
    await this.mount.resetCounts()
  }
}

/** A process group of its own: Ctrl-C on the terminal must not end it before those that read of it. */
function starter(directory: string): Starter {
  return {
    join: name => join(directory, name),
    start: (command, ...args) => spawn(command, args, { detached: true, stdio: 'pipe' }),
  }
}
