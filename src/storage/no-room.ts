import { ImageError } from '../errors.js'
import { errno, SystemError } from '../libc/errno.js'

const FULL: readonly number[] = [errno.ENOSPC, errno.EDQUOT]
const WRITES: readonly string[] = ['pwrite', 'ftruncate', 'fdatasync', 'fallocate']

/** For a write that failed as there is no room, what is left and what can be done; other errors as they are. */
export function explainNoRoom(error: unknown, left: string, room = 'make room, and try again'): unknown {
  if (!(error instanceof SystemError) || !WRITES.includes(error.syscall)) return error
  const options = { errno: error.errno, cause: error }
  if (FULL.includes(error.errno)) return new ImageError('IO', `${error.message}; ${left}: ${room}`, options)
  if (error.errno !== errno.EFBIG) return error
  return new ImageError(
    'IO',
    `${error.message}; ${left}: take a smaller size or another file system, as this one takes no files that long`,
    options,
  )
}
