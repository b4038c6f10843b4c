import debug from 'debug'
import { readU64 } from '../bytes.js'
import { errnoOf } from '../errors.js'
import { errno, errnoName } from '../libc/errno.js'
import { IoBuffer } from '../libc/io-buffer.js'
import { type Channel, Ended } from './channel.js'
import { Counter, type Counters } from './counters.js'
import type { FileSystem } from './file-system.js'
import { MAX_REQUEST } from './handshake.js'
import { NO_REPLY, Operations, type OperationsOptions } from './operations.js'
import { ERRNO_LIMIT, InHeader, Opcode, OutHeader } from './protocol.js'

const log = debug('rawmount:fuse')

const OPCODE_NAMES = new Map<number, string>(Object.entries(Opcode).map(([name, value]) => [value, name]))

/** The kernel wants room for its largest WRITE and a header; a page more costs nothing. */
const REQUEST_BUFFER = MAX_REQUEST + 8192

/**
 * Serves requests of one mount, in one worker thread: a synchronous loop that reads a request, has the file system
 * answer it and writes the reply. Everything it needs is made once, here.
 *
 *   request buffer:  in header (40) | struct (40 for WRITE) | data, handed to FileSystem.write where they lie
 *   reply buffer:    out header (16) | body, or data that FileSystem.read put there; one write(2) answers
 *
 * An operation returns the length of the reply, an errno as a negative number, or NO_REPLY.
 */
export class Session {
  private readonly request = new IoBuffer(REQUEST_BUFFER)
  private readonly reply = new IoBuffer(OutHeader.SIZE + MAX_REQUEST)
  private readonly operations: Operations

  constructor(
    private readonly channel: Channel,
    fs: FileSystem,
    private readonly counters: Counters,
    options: OperationsOptions,
  ) {
    this.operations = new Operations(fs, this.request, this.reply, counters, options)
  }

  /** Returns when the mount is gone. Throws a SystemError when /dev/fuse itself fails. */
  run(): 'unmounted' | 'aborted' {
    for (;;) {
      const length = this.channel.receive(this.request)
      if (length === Ended.unmounted) return 'unmounted'
      if (length === Ended.aborted) return 'aborted'
      this.serve(length)
    }
  }

  private serve(length: number): void {
    const { view } = this.request
    if (length < InHeader.SIZE) {
      log('a request of %d bytes has no header', length)
      return
    }
    let outcome: number
    try {
      outcome =
        view.getUint32(InHeader.length, true) === length ? this.operations.perform(length) : -errno.EIO
    } catch (error) {
      outcome = -errnoOf(error)
      if (log.enabled) log('%s: %O', this.describe(), error)
    }
    if (outcome === NO_REPLY) return
    if (outcome < 0) outcome = this.fail(outcome)
    else this.reply.view.setInt32(OutHeader.error, 0, true)
    this.answer(outcome)
  }

  private fail(outcome: number): number {
    if (outcome !== -errno.ENOENT) this.counters.add(Counter.errors, 1)
    if (log.enabled) log('%s: %s', this.describe(), errnoName(-outcome))
    this.reply.view.setInt32(OutHeader.error, outcome > -ERRNO_LIMIT ? outcome : -errno.EIO, true)
    return OutHeader.SIZE
  }

  private answer(length: number): void {
    const from = this.request.view
    const to = this.reply.view
    to.setUint32(OutHeader.length, length, true)
    to.setUint32(OutHeader.unique, from.getUint32(InHeader.unique, true), true)
    to.setUint32(OutHeader.unique + 4, from.getUint32(InHeader.unique + 4, true), true)
    if (this.channel.send(this.reply, length)) return
    if (log.enabled) log('%s: nobody waits', this.describe())
    this.operations.undelivered(length)
  }

  private describe(): string {
    const { view } = this.request
    const opcode = view.getUint32(InHeader.opcode, true)
    return `${OPCODE_NAMES.get(opcode) ?? `opcode ${opcode}`} of inode ${readU64(view, InHeader.node)}`
  }
}
