import { constants } from 'node:os'
import { lastErrno } from './library.js'

export const errno = constants.errno

const names = new Map<number, string>(Object.entries(constants.errno).map(([name, value]) => [value, name]))

const DESCRIPTIONS: Record<string, string> = {
  EACCES: 'permission denied',
  EAGAIN: 'resource temporarily unavailable',
  EBADF: 'bad file descriptor',
  EBUSY: 'device or resource busy',
  EEXIST: 'file exists',
  EFBIG: 'file too large',
  EINVAL: 'invalid argument',
  EIO: 'input/output error',
  EISDIR: 'is a directory',
  ELOOP: 'too many levels of symbolic links',
  ENODEV: 'no such device',
  ENOENT: 'no such file or directory',
  ENOSPC: 'no space left on device',
  ENOSYS: 'function not implemented',
  ENOTDIR: 'not a directory',
  ENXIO: 'no such device or address',
  EOPNOTSUPP: 'operation not supported',
  EPERM: 'operation not permitted',
  EROFS: 'read-only file system',
}

/** ENOSPC for 28, and so on; the number itself where the system has no name for it. */
export function errnoName(value: number): string {
  return names.get(value) ?? `errno ${value}`
}

/** "no space left on device (ENOSPC)" for 28. */
export function describeErrno(value: number): string {
  const name = errnoName(value)
  const description = DESCRIPTIONS[name]
  return description === undefined ? name : `${description} (${name})`
}

/** A system call that failed. `errno` is positive, `syscall` its name, `path` the file it was about. */
export class SystemError extends Error {
  override readonly name = 'SystemError'
  readonly code: string

  constructor(
    readonly errno: number,
    readonly syscall: string,
    readonly path: string,
  ) {
    super(`${path}: ${syscall}: ${describeErrno(errno)}`)
    this.code = errnoName(errno)
  }
}

/** For the line after a failed call: the error with the errno it left. */
export function failed(syscall: string, path: string): SystemError {
  return new SystemError(lastErrno(), syscall, path)
}
