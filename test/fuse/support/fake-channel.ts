import { type Channel, createSessionWords, Ended } from '../../../src/fuse/channel.js'
import { Counters, createCounters, sumCounters, type Totals } from '../../../src/fuse/counters.js'
import type { DeferredReply } from '../../../src/fuse/deferred-reply.js'
import type { FileSystem } from '../../../src/fuse/file-system.js'
import { Session } from '../../../src/fuse/session.js'
import type { IoBuffer } from '../../../src/libc/io-buffer.js'

/** Hands requests to a session and collects the replies; ends with the unmount. */
class FakeChannel implements Channel {
  readonly replies: Uint8Array[] = []
  readonly descriptor = 99

  constructor(
    private readonly requests: Uint8Array[],
    private readonly delivered: boolean,
  ) {}

  receive(buffer: IoBuffer): number {
    const next = this.requests.shift()
    if (next === undefined) return Ended.unmounted
    buffer.bytes.set(next)
    return next.length
  }

  send(buffer: IoBuffer, length: number): boolean {
    this.replies.push(Buffer.from(buffer.bytes.subarray(0, length)))
    return this.delivered
  }
}

export interface ServeOptions {
  readonly direct?: boolean
  readonly writeback?: boolean
  /** False: the kernel says of every reply that nobody waits for it. */
  readonly delivered?: boolean
}

/** What a session answers to `requests`, in order. */
export function serve(
  fs: FileSystem,
  requests: Uint8Array[],
  { direct = false, writeback = false, delivered = true }: ServeOptions = {},
): { replies: Uint8Array[]; deferred: DeferredReply[]; outcome: string; totals: Totals } {
  const deferred: DeferredReply[] = []
  const channel = new FakeChannel([...requests], delivered)
  const memory = createCounters(1)
  const shared = createSessionWords()
  const session = new Session(channel, fs, new Counters(memory, 0), { direct, writeback, shared }, reply =>
    deferred.push(reply),
  )
  const outcome = session.run()
  return { replies: channel.replies, deferred, outcome, totals: sumCounters(memory) }
}
