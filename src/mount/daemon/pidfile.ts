import {
  closeSync,
  fstatSync,
  lstatSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  type Stats,
  writeSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { ImageError } from '../../errors.js'
import { failed } from '../../libc/errno.js'
import { F_OFD_GETLK, F_OFD_SETLK, F_UNLCK, F_WRLCK, Flock, fcntl } from '../../libc/locks.js'
import type { RunningMount } from './daemon.js'

/**
 * A file with the number of the process that serves a mount. It is there, complete, from when the mount answers until
 * the image is closed. The process keeps a lock on it: so a file that was left behind by a crash is told from one
 * whose process lives, whatever numbers processes have been given since.
 */
export class Pidfile {
  private published = false

  private constructor(
    private readonly path: string,
    private readonly draft: string,
    private readonly fd: number,
  ) {}

  /**
   * Prepares the file for the calling process, unseen. Throws ImageError: IN_USE when a process keeps the file, REFUSED
   * when it is something else than a pidfile, NOT_FOUND and IO when it cannot be made.
   */
  static prepare(path: string): Pidfile {
    refuseOthers(path)
    const draft = join(dirname(path), `.${basename(path)}.${process.pid}`)
    const pidfile = new Pidfile(
      path,
      draft,
      attempt(path, () => openSync(draft, 'wx', 0o644)),
    )
    try {
      attempt(path, () => pidfile.fill())
      return pidfile
    } catch (error) {
      pidfile.remove()
      throw error
    }
  }

  private fill(): void {
    if (fcntl(this.fd, F_OFD_SETLK, new Flock().range(F_WRLCK, 0, 0)) < 0) throw failed('lock', this.path)
    writeSync(this.fd, `${process.pid}\n`)
  }

  /** Puts the file into its place. Throws ImageError, as prepare() does, when that was taken meanwhile. */
  publish(): void {
    refuseOthers(this.path)
    attempt(this.path, () => renameSync(this.draft, this.path))
    this.published = true
  }

  /** Takes the file away, unless another process has put its own there. */
  remove(): void {
    try {
      if (!this.published) rmSync(this.draft, { force: true })
      else if (stat(this.path)?.ino === fstatSync(this.fd).ino) rmSync(this.path, { force: true })
    } catch {
      // It stays as after a crash: without its lock it hinders nobody, and there is nobody left to tell.
    }
    closeSync(this.fd)
  }
}

/** For a mount that answers. Where the file cannot be had any more, the mount is ended, and ImageError is thrown. */
export async function publish(pidfile: Pidfile | null, mount: RunningMount): Promise<void> {
  try {
    pidfile?.publish()
  } catch (error) {
    mount.stop()
    await mount.finished
    throw error
  }
}

function refuseOthers(path: string): void {
  const there = attempt(path, () => stat(path))
  if (there === null) return
  if (!there.isFile() || there.size > 64) throw noPidfile(path)
  const fd = attempt(path, () => openSync(path, 'r'))
  try {
    const text = readFileSync(fd, 'utf8')
    if (!/^\s*\d*\s*$/.test(text)) throw noPidfile(path)
    const lock = new Flock()
    if (fcntl(fd, F_OFD_GETLK, lock.range(F_WRLCK, 0, 0)) < 0) throw failed('lock', path)
    if (lock.type !== F_UNLCK) {
      throw new ImageError(
        'IN_USE',
        `${path}: process ${text.trim()} keeps this pidfile: unmount what it serves, or give another file`,
      )
    }
  } finally {
    closeSync(fd)
  }
}

function noPidfile(path: string): ImageError {
  return new ImageError('REFUSED', `${path}: is there already and is no pidfile: give another file`)
}

function stat(path: string): Stats | null {
  return lstatSync(path, { throwIfNoEntry: false }) ?? null
}

function attempt<T>(path: string, action: () => T): T {
  try {
    return action()
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT')
      throw new ImageError('NOT_FOUND', `${path}: no such directory: create it with mkdir`, { cause })
    throw new ImageError(
      'IO',
      `${path}: the pidfile cannot be made (${code ?? message}): choose another place`,
      {
        cause,
      },
    )
  }
}
