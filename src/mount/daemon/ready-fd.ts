import { closeSync, fstatSync, readdirSync, readFileSync, readlinkSync, type Stats, writeSync } from 'node:fs'
import { ImageError } from '../../errors.js'
import { fcntl } from '../../libc/locks.js'
import { O_ACCMODE } from '../nodes.js'

const F_SETFD = 2
const FD_CLOEXEC = 1

/**
 * A descriptor that who started this process reads from: a line feed when the mount answers, or its end without one. So
 * s6 and others are told, and a shell can wait.
 */
export class ReadyFd {
  private constructor(private readonly fd: number) {}

  /** Throws ImageError INVALID when `fd` was not handed to this process to be written to. */
  static take(fd: number): ReadyFd {
    if (!isWritable(fd)) {
      throw new ImageError(
        'INVALID',
        `mount: option '--ready-fd' takes a descriptor open for writing, and ${fd} is not: add '${fd}>FILE'`,
      )
    }
    // A daemon would keep it open, and its reader would wait for the end.
    fcntl(fd, F_SETFD, FD_CLOEXEC)
    return new ReadyFd(fd)
  }

  /** Throws ImageError when nobody reads. */
  tell(): void {
    try {
      writeSync(this.fd, '\n')
      closeSync(this.fd)
    } catch (cause) {
      throw new ImageError(
        'MOUNT',
        `descriptor ${this.fd} (--ready-fd) takes nothing: ${(cause as Error).message}; its reader is gone, or its file full`,
        { cause },
      )
    }
  }
}

/** Low numbers that were not handed over are Node's own: event queues, and pipes from itself to itself. */
function isWritable(fd: number): boolean {
  try {
    const flags = Number.parseInt(
      /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))![1]!,
      8,
    )
    return (flags & O_ACCMODE) !== 0 && isOfFiles(fstatSync(fd)) && !leadsBack(fd)
  } catch {
    return false // not open
  }
}

function isOfFiles(stats: Stats): boolean {
  return stats.isFile() || stats.isFIFO() || stats.isSocket() || stats.isCharacterDevice()
}

function leadsBack(fd: number): boolean {
  const pipe = readlinkSync(`/proc/self/fd/${fd}`)
  if (!pipe.startsWith('pipe:')) return false
  return readdirSync('/proc/self/fd').some(other => {
    if (Number(other) === fd) return false
    try {
      const flags = /^flags:\s*\d*[02346]$/m
      return (
        readlinkSync(`/proc/self/fd/${other}`) === pipe &&
        flags.test(readFileSync(`/proc/self/fdinfo/${other}`, 'utf8'))
      )
    } catch {
      return false // the descriptor of this listing
    }
  })
}
