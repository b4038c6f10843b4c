import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'
import type { MountStatus } from '../../src/mount/status/status.js'
import { environment, type Outcome, run, succeed, told, until } from './tools.js'

/**
 * Mounts for tests, made by the built program as a user makes them. A test gets a directory of its own; whatever it
 * mounts, attaches or starts there is gone when the test ends, however it ends:
 *
 *   mounts and loop devices   are found by their path below the directory
 *   processes                 by a variable in their environment, which daemons inherit
 *
 * The daemon is another process, so a test may touch the mount itself.
 */
export const PROGRAM = fileURLToPath(new URL('../../bin/rawmount.js', import.meta.url))

export const TRANSPORTS = ['kernel', 'libfuse'] as const
export type TransportName = (typeof TRANSPORTS)[number]

/** What lacks() must find for tests of a transport. */
export const NEEDS: Record<TransportName, readonly string[]> = {
  kernel: ['root'],
  libfuse: ['root', 'libfuse.so.2'],
}

const OWNER = 'RAWMOUNT_TEST_DIRECTORY'

/** A directory of one test, and all that is done in it. */
export class Scratch {
  constructor(readonly path: string) {}

  join(name: string): string {
    return join(this.path, name)
  }

  /** Runs the built program to its end. */
  rawmount(...args: string[]): Promise<Outcome> {
    return run(process.execPath, [PROGRAM, ...args], { env: { [OWNER]: this.path } })
  }

  /** The output of the built program, which must succeed and have nothing to complain of. */
  async rawmounts(...args: string[]): Promise<string> {
    const outcome = await this.rawmount(...args)
    const stdout = told('rawmount', args, outcome)
    if (outcome.stderr !== '')
      throw new Error(`rawmount ${args.join(' ')}: said on stderr: ${outcome.stderr}`)
    return stdout
  }

  /** Starts a program that goes on; it is killed at the end of the test if it still runs. */
  start(command: string, ...args: string[]): ChildProcess {
    const child = spawn(command, args, {
      env: environment({ [OWNER]: this.path }),
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    // Killed readers are no error of the test.
    child.stdin.on('error', () => {})
    return child
  }

  /** A new image by rawmount create; returns its path. */
  async create(name: string, ...args: string[]): Promise<string> {
    const image = this.join(name)
    const size = args.at(-1)?.match(/^\d+[KMGT]?$/) ? [args.at(-1)!] : []
    const options = size.length === 0 ? args : args.slice(0, -1)
    await this.rawmounts('create', '-q', '-f', 'qed', ...options, image, ...size)
    return image
  }

  /** A new, empty directory. */
  async directory(name: string): Promise<string> {
    await mkdir(this.join(name))
    return this.join(name)
  }

  /** Mounts an image on the directory `mnt` (made when it is missing) with the options of `rawmount mount`. */
  async mount(image: string, ...options: string[]): Promise<Mounted> {
    return this.mountAt('mnt', image, ...options)
  }

  async mountAt(name: string, image: string, ...options: string[]): Promise<Mounted> {
    // The mount point of a killed daemon answers nothing, not even to mkdir.
    const known = await mountpointsBelow(this.path)
    if (!known.includes(this.join(name))) await mkdir(this.join(name), { recursive: true })
    await this.rawmounts('mount', ...options, image, this.join(name))
    return new Mounted(this, image, this.join(name))
  }

  /** A loop device on a file, or on the part of it that starts at `offset`. */
  async loop(file: string, offset = 0, length = 0): Promise<string> {
    const part = length === 0 ? [] : ['--sizelimit', `${length}`]
    const device = await succeed('losetup', '--find', '--show', '--offset', `${offset}`, ...part, file)
    return device.trim()
  }

  /**
   * Detaches a loop device. Whoever looks at it in that moment, a test beside this one that lists the loop devices say,
   * puts that off; so it waits until the device has let its file go.
   */
  async detach(device: string): Promise<void> {
    await succeed('losetup', '--detach', device)
    await until(async () => (await run('losetup', [device])).code !== 0)
  }

  /** Mounts a device on the directory `name`. */
  async mountDevice(device: string, name: string, ...options: string[]): Promise<string> {
    await mkdir(this.join(name), { recursive: true })
    await succeed('mount', ...options, device, this.join(name))
    return this.join(name)
  }

  /** Ends and removes everything; throws when something could only be had with force. */
  async clean(): Promise<void> {
    const forced = await this.unmountAll()
    // Long enough for what is ending by itself on a busy machine.
    for (const pid of await this.processes(10_000)) {
      const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
      forced.push(`process ${pid} (${line.replaceAll('\0', ' ').trim()})`)
      kill(pid)
    }
    await this.processes(5000)
    await rm(this.path, { recursive: true, force: true })
    if (forced.length > 0) throw new Error(`left behind by the test: ${forced.join(', ')}`)
  }

  private async unmountAll(): Promise<string[]> {
    const forced: string[] = []
    for (;;) {
      const mountpoint = (await mountpointsBelow(this.path)).at(-1)
      await this.detachLoops()
      if (mountpoint === undefined) return forced
      const { code } = await run('umount', [mountpoint], { limit: 10_000 })
      if (code === 0) continue
      forced.push(mountpoint)
      // Whoever serves or holds it, ends: then the lazy unmount cannot hang, nor leave anything half alive.
      for (const pid of await this.processes(0)) kill(pid)
      await run('umount', ['--lazy', mountpoint], { limit: 10_000 })
    }
  }

  private async detachLoops(): Promise<void> {
    const { stdout } = await run('losetup', ['--list', '--noheadings', '--raw', '--output', 'NAME,BACK-FILE'])
    for (const line of stdout.split('\n')) {
      const [device = '', file = ''] = line.split(' ')
      if (file.startsWith(`${this.path}/`)) await run('losetup', ['--detach', device])
    }
  }

  /** Processes of this test that still run after `patience` milliseconds. */
  async processes(patience: number): Promise<number[]> {
    for (const deadline = Date.now() + patience; ; await sleep(20)) {
      const found = await processesWith(`${OWNER}=${this.path}`)
      if (found.length === 0 || Date.now() >= deadline) return found
    }
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error // it may be faster
  }
}

/** A mounted image. */
export class Mounted {
  readonly disk: string

  constructor(
    private readonly scratch: Scratch,
    readonly image: string,
    readonly mountpoint: string,
  ) {
    this.disk = join(mountpoint, 'disk.raw')
  }

  async status(): Promise<MountStatus> {
    return JSON.parse(await readFile(join(this.mountpoint, '.rawmount/status.json'), 'utf8')) as MountStatus
  }

  /** Unmounts with `rawmount umount`, which must succeed. */
  async unmount(): Promise<void> {
    await this.scratch.rawmounts('umount', this.mountpoint)
  }
}

/** A directory for the test, with everything in it removed when the test has ended. */
export async function scratch(t: ExecutionContext): Promise<Scratch> {
  const made = new Scratch(await mkdtemp(join(tmpdir(), 'rawmount-')))
  t.teardown(() => made.clean())
  return made
}

/** In the order in which they were mounted. */
export async function mountpointsBelow(directory: string): Promise<string[]> {
  const table = await readFile('/proc/self/mounts', 'utf8')
  const mountpoints = table.split('\n').map(line => unescapeOctal(line.split(' ')[1] ?? ''))
  return mountpoints.filter(mountpoint => mountpoint.startsWith(`${directory}/`))
}

/** A blank in a name stands as \040. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)))
}

async function processesWith(variable: string): Promise<number[]> {
  const found: number[] = []
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const text = await readFile(`/proc/${name}/environ`, 'utf8').catch(() => '') // ended, or somebody else's
    if (text.split('\0').includes(variable)) found.push(Number(name))
  }
  return found
}
