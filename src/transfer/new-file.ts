import {
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  linkSync,
  openSync,
  renameSync,
  type Stats,
  statSync,
  unlinkSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { errno, failed, SystemError } from '../libc/errno.js'
import { AT_FDCWD, AT_SYMLINK_FOLLOW, linkat } from '../libc/files.js'

/**
 * A file that has its name only when it is complete. Until then it has none (O_TMPFILE), so that whatever ends the process,
 * kill -9 too, leaves nothing behind; on file systems without that it has a hidden name beside the one to come. It gets its
 * name by a link, which never replaces a file; a file that is to be replaced is so by a rename, which leaves no moment without.
 *
 * Methods throw SystemError with the name to come.
 */
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY

/** The errnos of file systems and kernels that cannot. */
const CANNOT: readonly (string | undefined)[] = ['EOPNOTSUPP', 'EISDIR', 'ENOENT', 'EINVAL', 'ENOSYS']

const MODE = 0o644

export class NewFile {
  private readonly fd: number
  /** Null while the file has no name. */
  private hidden: string | null = null
  private readonly directory: string
  private isOpen = true

  /** `unnamed`: without a name where the file system can. */
  constructor(
    readonly path: string,
    unnamed = true,
  ) {
    this.directory = dirname(path)
    this.fd = (unnamed ? this.openUnnamed() : null) ?? this.openHidden()
  }

  /** A name by which this process can open the file. */
  get handle(): string {
    return `/proc/self/fd/${this.fd}`
  }

  /** The file is as others' as the one that it will replace. */
  resemble({ mode, uid, gid }: Stats): void {
    named('chmod', this.path, () => {
      const own = statSync(this.handle)
      if (own.uid !== uid || own.gid !== gid) {
        try {
          fchownSync(this.fd, uid, gid)
        } catch (error) {
          // Only root gives files away; who may replace a file of another owns it then, as with mv.
          if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error
        }
      }
      fchmodSync(this.fd, mode & 0o777)
    })
  }

  /** Gives it its name, durably; the contents must be durable already. Without `replaces` throws EEXIST for a name that is taken. */
  publish(replaces: boolean): void {
    if (replaces) {
      this.hidden ??= this.link(this.hiddenName())
      named('rename', this.path, () => renameSync(this.hidden!, this.path))
    } else if (this.hidden === null) this.link(this.path)
    else {
      const { hidden } = this
      named('link', this.path, () => linkSync(hidden, this.path))
      unlinkSync(hidden)
    }
    this.hidden = null
    this.syncDirectory()
    this.close()
  }

  /** Nothing is left of it, unless it was published. */
  discard(): void {
    if (this.hidden !== null) unlinkSync(this.hidden)
    this.hidden = null
    this.close()
  }

  /** Takes back what publish() did for a new name. */
  withdraw(): void {
    unlinkSync(this.path)
  }

  private close(): void {
    if (this.isOpen) closeSync(this.fd)
    this.isOpen = false
  }

  private openUnnamed(): number | null {
    if (!existsSync('/proc/self/fd')) return null
    try {
      return openSync(this.directory, O_TMPFILE | constants.O_RDWR, MODE)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (CANNOT.includes(code)) return null
      throw new SystemError(-(error as NodeJS.ErrnoException).errno!, 'open', this.path)
    }
  }

  private openHidden(): number {
    const name = this.hiddenName()
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL
    const fd = named('open', this.path, () => openSync(name, flags, MODE))
    this.hidden = name
    return fd
  }

  private hiddenName(): string {
    const unique = `${process.pid}-${Math.random().toString(36).slice(2, 8)}`
    // A long name has no room for more.
    return join(this.directory, `.${basename(this.path).slice(0, 100)}.${unique}.new`)
  }

  private link(path: string): string {
    if (linkat(AT_FDCWD, this.handle, AT_FDCWD, path, AT_SYMLINK_FOLLOW) !== 0)
      throw failed('link', this.path)
    return path
  }

  private syncDirectory(): void {
    named('fsync', this.directory, () => {
      const fd = openSync(this.directory, constants.O_RDONLY | constants.O_DIRECTORY)
      try {
        fsyncSync(fd)
      } catch (error) {
        // Some file systems keep no directories that could be lost.
        if (-(error as NodeJS.ErrnoException).errno! !== errno.EINVAL) throw error
      } finally {
        closeSync(fd)
      }
    })
  }
}

function named<T>(syscall: string, path: string, call: () => T): T {
  try {
    return call()
  } catch (error) {
    const number = (error as NodeJS.ErrnoException).errno
    if (number === undefined) throw error
    throw new SystemError(-number, syscall, path)
  }
}
