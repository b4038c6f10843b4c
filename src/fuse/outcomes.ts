import { errno } from '../libc/errno.js'
import { Opcode, OutHeader } from './protocol.js'

/**
 * What the performing of a request comes to: the length of the reply, an errno as a negative number, or one of these.
 */

/** A request that gets no answer. */
export const NO_REPLY = 0

/** A request that is answered when others' pages are dropped; see Invalidator. */
export const DEFERRED = 1

/** Success without a body. */
export const DONE = OutHeader.SIZE

/** Requests that all get the same short answer. */
export function withoutBody(opcode: number): number {
  switch (opcode) {
    case Opcode.FORGET:
    case Opcode.BATCH_FORGET: // inodes are fixed, nobody counts look-ups
    case Opcode.INTERRUPT: // no request waits for long
    case Opcode.NOTIFY_REPLY:
      return NO_REPLY
    case Opcode.RELEASEDIR:
    case Opcode.FSYNCDIR:
    case Opcode.DESTROY:
      return DONE
    case Opcode.CREATE:
    case Opcode.MKNOD:
    case Opcode.MKDIR:
    case Opcode.SYMLINK:
    case Opcode.LINK:
    case Opcode.UNLINK:
    case Opcode.RMDIR:
    case Opcode.RENAME:
    case Opcode.RENAME2:
    case Opcode.TMPFILE:
      return -errno.EPERM
    case Opcode.READLINK:
      return -errno.EINVAL
    default:
      // The kernel remembers ENOSYS and falls back to what it can do itself: ACCESS, POLL, extended attributes (which
      // would else be asked for at each write), locks, COPY_FILE_RANGE, STATX, and what is not invented yet.
      return -errno.ENOSYS
  }
}
