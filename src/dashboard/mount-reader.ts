import { join } from 'node:path'
import { findMount, type MountEntry } from '../fuse/mount-table.js'
import { StatusAsker } from '../mount/outside/status-asker.js'
import { type Latency, latencyIn } from './latency.js'

/** What the page is told, each time it asks. */
export interface DashboardData extends Files {
  /** Milliseconds of a clock that only goes forward. */
  readonly time: number
  readonly mountpoint: string
  /** 'gone': it was unmounted; 'silent': its daemon takes long to answer, or is dead. */
  readonly state: 'well' | 'silent' | 'gone'
}

/** What the files below .rawmount say; null where that cannot be had. */
interface Files {
  /** Of an image, or of a mount with a folder for each of its images: then it has `images`. */
  readonly status: unknown
  readonly map: unknown
  readonly latency: Latency
}

const NOTHING: Files = { status: null, map: null, latency: {} }

/** Milliseconds that a daemon may take for an answer. */
const PATIENCE = 3000

/**
 * Reads what a mount says of itself, through other processes, so that one that hangs does not hang this. At most one read of
 * each folder is under way, however many ask: a daemon that hangs must not cost a process for each of them.
 */
export class MountReader {
  private readonly reading = new Map<string, Promise<Files>>()

  private readonly asker: StatusAsker

  constructor(private readonly mount: MountEntry) {
    this.asker = new StatusAsker(mount)
  }

  /** Complains of what cannot be looked at. */
  async check(): Promise<void> {
    await this.asker.ask()
  }

  /** Waits no longer for what is being read. */
  close(): void {
    this.asker.close()
  }

  /** False when it was unmounted, or something else is mounted there. */
  isThere(): boolean {
    return findMount(this.mount.mountpoint)?.device === this.mount.device
  }

  /** `folder`: of an image in a mount of many; '' for the mount itself. Null when there is no such folder. */
  async read(folder: string): Promise<DashboardData | null> {
    if (!this.isThere()) return this.answer('gone')
    try {
      const root = await this.patiently('')
      if (root === null) return this.answer('silent')
      if (folder === '') return this.answer('well', root)
      if (!foldersOf(root.status).includes(folder)) return null
      const files = await this.patiently(folder)
      // Times of requests are those of the whole mount: its threads serve all images.
      return files === null ? this.answer('silent') : this.answer('well', { ...files, latency: root.latency })
    } catch {
      // What is wrong is told by the state; the error itself names system calls only.
      return this.answer(this.isThere() ? 'silent' : 'gone')
    }
  }

  private answer(state: DashboardData['state'], files = NOTHING): DashboardData {
    return { time: performance.now(), mountpoint: this.mount.mountpoint, state, ...files }
  }

  /** Null when it takes too long; it is then still waited for, by the next who asks. */
  private async patiently(folder: string): Promise<Files | null> {
    let reading = this.reading.get(folder)
    if (reading === undefined) {
      reading = this.readFiles(folder).finally(() => this.reading.delete(folder))
      this.reading.set(folder, reading)
    }
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<null>(resolve => {
      timer = setTimeout(() => resolve(null), PATIENCE)
    })
    return Promise.race([reading, late]).finally(() => clearTimeout(timer))
  }

  private async readFiles(folder: string): Promise<Files> {
    const { mountpoint } = this.mount
    const file = (name: string) => this.asker.read(join(mountpoint, folder, '.rawmount', name))
    return {
      status: folder === '' ? await this.asker.ask() : (JSON.parse(await file('status.json')) as unknown),
      // These are not to be had of every mount.
      map: await file('map.json').then(JSON.parse, () => null),
      latency: latencyIn(await file('metrics').catch(() => '')),
    }
  }
}

function foldersOf(status: unknown): string[] {
  const { images = [] } = status as { images?: readonly { folder: string }[] }
  return images.map(({ folder }) => folder)
}
