import { readU64 } from '../bytes.js'
import { errnoOf } from '../errors.js'
import { errno, errnoName } from '../libc/errno.js'
import { IoBuffer } from '../libc/io-buffer.js'
import { hasLog, isTracing, serving, tell, tracer } from '../trace.js'
import { type Channel, Ended } from './channel.js'
import { Counter, type Counters, isFailure } from './counters.js'
import type { DeferredReply } from './deferred-reply.js'
import { RequestFailures } from './failures.js'
import type { FileSystem } from './file-system.js'
import { MAX_REQUEST } from './handshake.js'
import { Kind } from './latencies.js'
import { Operations, type OperationsOptions } from './operations.js'
import { DEFERRED, NO_REPLY } from './outcomes.js'
import { ERRNO_LIMIT, InHeader, Opcode, OutHeader, ReadIn } from './protocol.js'

const log = tracer('fuse')

const OPCODE_NAMES = new Map<number, string>(Object.entries(Opcode).map(([name, value]) => [value, name]))

/** One of so many reads and writes is timed: two looks at the clock cost as much as a twentieth of a small request. */
const EACH = 8

/** The kernel wants room for its largest WRITE and a header; a page more costs nothing. */
const REQUEST_BUFFER = MAX_REQUEST + 8192

/**
 * Serves requests of one mount, in one worker thread: a synchronous loop that reads a request, has the file
 * system answer it and writes the reply. Everything it needs is made once, here.
 *
 *   request buffer:  in header (40) | struct (40 for WRITE) | data, handed to FileSystem.write where they lie
 *   reply buffer:    out header (16) | body, or data that FileSystem.read put there; one write(2) answers
 *
 * An operation returns the length of the reply, an errno as a negative number, NO_REPLY, or DEFERRED: then
 * `defer` has another thread answer it.
 */
export class Session {
  private readonly request = new IoBuffer(REQUEST_BUFFER)
  private readonly reply = new IoBuffer(OutHeader.SIZE + MAX_REQUEST)
  private readonly operations: Operations
  private readonly failures = hasLog() ? new RequestFailures(tell) : null
  private readonly isTracing = isTracing()
  private turn = EACH - 1

  constructor(
    private readonly channel: Channel,
    fs: FileSystem,
    private readonly counters: Counters,
    options: OperationsOptions,
    private readonly defer: (request: DeferredReply) => void = unexpected,
  ) {
    this.operations = new Operations(fs, this.request, this.reply, counters, options)
  }

  /** Returns when the mount is gone. Throws a SystemError when /dev/fuse itself fails. */
  run(): 'unmounted' | 'aborted' {
    for (;;) {
      const length = this.channel.receive(this.request)
      if (length === Ended.unmounted) return 'unmounted'
      if (length === Ended.aborted) return 'aborted'
      const arrived = this.isTimed() ? performance.now() : 0
      this.serve(length)
      if (arrived > 0) this.counters.took(this.kind(), performance.now() - arrived)
    }
  }

  private isTimed(): boolean {
    const opcode = this.request.view.getUint32(InHeader.opcode, true)
    if (opcode !== Opcode.READ && opcode !== Opcode.WRITE) return true
    this.turn = (this.turn + 1) % EACH
    return this.turn === 0
  }

  private serve(length: number): void {
    const { view } = this.request
    if (length < InHeader.SIZE) {
      log('a request of %d bytes has no header', length)
      return
    }
    if (this.isTracing) serving(readU64(view, InHeader.unique))
    let outcome: number
    try {
      outcome =
        view.getUint32(InHeader.length, true) === length ? this.operations.perform(length) : -errno.EIO
    } catch (error) {
      outcome = -errnoOf(error)
      this.failures?.note(this.describe(), error)
      if (log.enabled) log('%s: %O', this.describe(), error)
    }
    if (this.isTracing) log('%s -> %s', this.describe(), outcomeName(outcome))
    if (outcome === NO_REPLY) return
    if (outcome === DEFERRED) {
      this.defer({
        inode: readU64(view, InHeader.node),
        descriptor: this.channel.descriptor,
        uniqueLow: view.getUint32(InHeader.unique, true),
        uniqueHigh: view.getUint32(InHeader.unique + 4, true),
      })
      return
    }
    if (outcome < 0) outcome = this.fail(outcome)
    else this.reply.view.setInt32(OutHeader.error, 0, true)
    this.answer(outcome)
  }

  private fail(outcome: number): number {
    const seeking = this.request.view.getUint32(InHeader.opcode, true) === Opcode.LSEEK
    if (isFailure(-outcome, seeking)) this.counters.add(Counter.errors, 1)
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
    const what = `${OPCODE_NAMES.get(opcode) ?? `opcode ${opcode}`} of inode ${readU64(view, InHeader.node)}`
    if (opcode !== Opcode.READ && opcode !== Opcode.WRITE) return what
    // Both have them at the same places.
    return `${what}, ${view.getUint32(ReadIn.size, true)} bytes at ${readU64(view, ReadIn.offset)}`
  }

  private kind(): Kind {
    switch (this.request.view.getUint32(InHeader.opcode, true)) {
      case Opcode.READ:
        return Kind.read
      case Opcode.WRITE:
        return Kind.write
      case Opcode.FSYNC:
      case Opcode.FLUSH:
        return Kind.sync
      default:
        return Kind.other
    }
  }
}

function outcomeName(outcome: number): string {
  if (outcome === NO_REPLY) return 'no answer'
  if (outcome === DEFERRED) return 'to be answered later'
  return outcome < 0 ? errnoName(-outcome) : `${outcome - OutHeader.SIZE} bytes`
}

/** A file system that asks for it is served with it. */
function unexpected(): never {
  throw new TypeError('nobody answers requests that are deferred')
}
