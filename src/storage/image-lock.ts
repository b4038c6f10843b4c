import { ImageError } from '../errors.js'
import { errno, failed } from '../libc/errno.js'
import { lastErrno } from '../libc/library.js'
import { F_OFD_GETLK, F_OFD_SETLK, F_RDLCK, F_UNLCK, F_WRLCK, Flock, fcntl } from '../libc/locks.js'
import { tracer } from '../trace.js'
import type { FileDescription } from './storage-file.js'

/**
 * The locks by which QEMU keeps two programs from writing one image; taking the same ones excludes QEMU and
 * other rawmounts alike. They are open-file-description locks: they go with the descriptor, so a killed process
 * leaves nothing behind. Each is a read lock on one byte, so that holders never block each other by themselves:
 *
 *   byte 100 + p   I use permission p        byte 200 + p   nobody else may use permission p
 *
 * First both kinds are taken, then each is tested against the other side; whoever sees a conflict lets go. Two
 * programs that start in the same moment may both see one and both give up, but never both go on.
 *
 * Source: QEMU's documented behaviour of file locking; permissions are numbered as there.
 */
const CONSISTENT_READ = 0
const WRITE = 1
const RESIZE = 3

const USED = 100
const DENIED = 200

const debug = tracer('storage')

/** Throws ImageError IN_USE, with no lock left, when another program's use of the image excludes ours. */
export function lockImage(file: FileDescription): void {
  const used = file.writable ? [CONSISTENT_READ, WRITE, RESIZE] : [CONSISTENT_READ]
  const denied = [WRITE, RESIZE]
  const flock = new Flock()
  const mine = [...used.map(p => USED + p), ...denied.map(p => DENIED + p)]
  for (const byte of mine) {
    if (fcntl(file.fd, F_OFD_SETLK, flock.range(F_RDLCK, byte, 1)) === 0) continue
    const reason = lastErrno()
    if (reason === errno.EAGAIN || reason === errno.EACCES) throw inUse(file)
    if (reason !== errno.ENOLCK && reason !== errno.EINVAL && reason !== errno.EOPNOTSUPP)
      throw failed('fcntl', file.path)
    debug('%s: the file system keeps no locks; going on without', file.path)
    return
  }
  for (const byte of [...used.map(p => DENIED + p), ...denied.map(p => USED + p)]) {
    if (fcntl(file.fd, F_OFD_GETLK, flock.range(F_WRLCK, byte, 1)) !== 0) throw failed('fcntl', file.path)
    if (flock.type === F_UNLCK) continue
    for (const own of mine) fcntl(file.fd, F_OFD_SETLK, flock.range(F_UNLCK, own, 1))
    throw inUse(file)
  }
}

function inUse(file: FileDescription): ImageError {
  const message = file.writable
    ? 'is in use by another program (a virtual machine, or another rawmount); stop it first'
    : 'is being written by another program (a virtual machine, or another rawmount); stop it first'
  return new ImageError('IN_USE', `${file.path}: ${message}`)
}
