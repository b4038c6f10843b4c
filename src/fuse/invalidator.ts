import { writeU64 } from '../bytes.js'
import { errno, errnoName, SystemError } from '../libc/errno.js'
import { write } from '../libc/files.js'
import { IoBuffer } from '../libc/io-buffer.js'
import { ERRNO_TRIES, lastErrno } from '../libc/library.js'
import { tracer } from '../trace.js'
import type { DeferredReply } from './deferred-reply.js'
import type { FileSystem } from './file-system.js'
import { NotifyCode, NotifyInvalInode, OutHeader } from './protocol.js'

const log = tracer('fuse')

/**
 * Drops pages from the kernel's cache before a FSYNC or FLUSH is answered: those of other inodes that show the
 * bytes that were written through this one.
 *
 * The kernel drops pages in the call that asks for it. It waits for pages that are being read, and writes dirty
 * ones first: for both it needs somebody who serves requests. A session worker that asked would wait for the
 * others, and two that ask at once for each other, for ever. So session workers never ask; they hand the
 * request to this one thread, which serves none, and go on. It asks, and then answers the request in their
 * place, on the descriptor that it came from.
 */
export class Invalidator {
  private readonly notification = new IoBuffer(NotifyInvalInode.SIZE)
  private readonly reply = new IoBuffer(OutHeader.SIZE)

  constructor(
    private readonly fs: FileSystem,
    private readonly send: typeof write = write,
  ) {}

  /** Returns when the request is answered. Throws a SystemError when /dev/fuse fails. */
  answer(request: DeferredReply): void {
    try {
      for (const { inode, offset, length } of this.fs.takeOutdated(request.inode)) {
        this.drop(request.descriptor, inode, offset, length)
      }
    } finally {
      this.fs.droppedOutdated(request.inode)
    }
    const { view, address } = this.reply
    view.setUint32(OutHeader.length, OutHeader.SIZE, true)
    view.setInt32(OutHeader.error, 0, true)
    view.setUint32(OutHeader.unique, request.uniqueLow, true)
    view.setUint32(OutHeader.unique + 4, request.uniqueHigh, true)
    this.say('reply', request.descriptor, address, OutHeader.SIZE)
  }

  private drop(descriptor: number, inode: number, offset: number, length: number): void {
    const { view, address } = this.notification
    view.setUint32(OutHeader.length, NotifyInvalInode.SIZE, true)
    // A message that answers no request says in the place of the error what it is.
    view.setInt32(OutHeader.error, NotifyCode.INVAL_INODE, true)
    writeU64(view, OutHeader.unique, 0)
    writeU64(view, NotifyInvalInode.inode, inode)
    writeU64(view, NotifyInvalInode.offset, offset)
    writeU64(view, NotifyInvalInode.length, length)
    this.say('notification', descriptor, address, NotifyInvalInode.SIZE)
  }

  /**
   * ENOENT: the kernel has forgotten the inode, and its pages with it, or nobody waits any more. The others that are
   * forgiven: unmounted.
   */
  private say(what: string, descriptor: number, address: number, size: number): void {
    for (let tries = 1; ; tries++) {
      if (this.send(descriptor, address, size) === size) return
      const error = lastErrno()
      if (FORGIVEN.has(error)) {
        log('%s: %s', what, errnoName(error))
        return
      }
      if (tries === ERRNO_TRIES) throw new SystemError(error, `write of a ${what}`, '/dev/fuse')
    }
  }
}

const FORGIVEN = new Set<number>([
  errno.ENOENT,
  errno.ENODEV,
  errno.ENOTCONN,
  errno.ECONNABORTED,
  errno.EPERM,
])
