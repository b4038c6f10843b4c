import { errno, failed, SystemError } from '../libc/errno.js'
import { read, write } from '../libc/files.js'
import type { IoBuffer } from '../libc/io-buffer.js'
import { ERRNO_TRIES, lastErrno } from '../libc/library.js'
import * as atomics from '../shared/atomics.js'

/** Where a session gets requests from, and what it answers them to. */
export interface Channel {
  /** Waits for a request and leaves it at the start of `buffer`. Returns its length, or why no more will come. */
  receive(buffer: IoBuffer): number
  /** What the request received last came from. */
  readonly descriptor: number
  /** Answers the request received last. False: nobody waits for the answer any more. Throws when it is refused. */
  send(buffer: IoBuffer, length: number): boolean
}

/** What receive() returns instead of a length. */
export const Ended = { unmounted: -1, aborted: -2 } as const

/** The descriptors of one worker; a plain object, as it crosses threads. */
export interface ChannelDescription {
  /** Blocks in read. */
  readonly sleeping: number
  /** Does not block; null where /dev/fuse cannot be opened a second time. */
  readonly looking: number | null
}

/** The words of shared memory that all sessions of a mount use. */
export const SessionWord = {
  /** 1 while a worker looks for requests without sleeping. */
  looking: 0,
  /** Handles open for writing; see Operations.seek. */
  writers: 16,
  /** One for each worker, WORKER_STRIDE apart: goes up when a request comes and when it was answered, so odd = at work. */
  turns: 32,
} as const

/** How many workers a mount can have: more than the kernel has requests in flight that nobody waits for (handshake.ts). */
export const MAX_WORKERS = 96
/** Two cache lines, as processors fetch lines in pairs. */
const WORKER_STRIDE = 32
const WORDS = SessionWord.turns + MAX_WORKERS * WORKER_STRIDE

export function createSessionWords(): SharedArrayBuffer {
  return new SharedArrayBuffer(WORDS * Int32Array.BYTES_PER_ELEMENT)
}

/** Where worker number `index` counts its turns. */
export function turnsOf(index: number): number {
  return SessionWord.turns + index * WORKER_STRIDE
}

/**
 * Microseconds for which a worker that has served a request looks again before it sleeps. Waking a sleeping thread
 * costs 10 to 70 µs of a request that itself takes 10; a program that reads one block after the other comes back
 * well within this time. Longer would only burn the processor that the program wants.
 */
const LOOK_TIME = 100

/** Looks between two looks at the clock, which costs as much as a few of them. */
const LOOKS = 8

/**
 * A worker's way to the kernel: two clones of the mounted descriptor. One blocks and is read to sleep, one does
 * not and is read to look. A request is answered on the one it came from, since the kernel keeps it there. One
 * worker looks at a time: a second one would take processor time from the program that is to ask. After LOOK_TIME
 * without a request everybody sleeps, so that an idle mount costs nothing.
 */
export class DeviceChannel implements Channel {
  private readonly words: Int32Array
  private readonly turns: number
  private current: number
  private served = false
  /** Failures in a row that nobody understands; see ERRNO_TRIES. */
  private unknown = 0

  /** `index`: of the worker, below MAX_WORKERS. */
  constructor(
    private readonly description: ChannelDescription,
    shared: SharedArrayBuffer,
    index = 0,
  ) {
    this.words = new Int32Array(shared)
    this.turns = turnsOf(index)
    this.current = description.sleeping
  }

  get descriptor(): number {
    return this.current
  }

  receive(buffer: IoBuffer): number {
    const { words, turns } = this
    // Only this worker changes it, and whoever looks may be late: no atomic is needed.
    if ((words[turns]! & 1) === 1) words[turns]!++
    const length = this.wait(buffer)
    this.unknown = 0
    words[turns]!++
    return length
  }

  private wait(buffer: IoBuffer): number {
    const { looking, sleeping } = this.description
    if (this.served && looking !== null) {
      this.served = false
      if (atomics.compareExchange(this.words, SessionWord.looking, 0, 1) === 0) {
        const found = this.look(looking, buffer)
        atomics.store(this.words, SessionWord.looking, 0)
        if (found !== 0) return found
      }
    }
    this.current = sleeping
    for (;;) {
      const length = read(sleeping, buffer.address, buffer.length)
      if (length > 0) return length
      const ended = this.outcome()
      if (ended !== 0) return ended
    }
  }

  /** 0 when nothing came in time. */
  private look(fd: number, buffer: IoBuffer): number {
    this.current = fd
    const deadline = performance.now() + LOOK_TIME / 1000
    do {
      for (let i = 0; i < LOOKS; i++) {
        const length = read(fd, buffer.address, buffer.length)
        if (length > 0) return length
        const ended = this.outcome()
        if (ended !== 0) return ended
      }
    } while (performance.now() < deadline)
    return 0
  }

  /** What a failed read means: 0 for "again". An interrupted or withdrawn request is no failure. */
  private outcome(): number {
    switch (lastErrno()) {
      case errno.EAGAIN:
      case errno.EINTR:
      case errno.ENOENT:
        return 0
      case errno.ENODEV:
        return Ended.unmounted
      case errno.ECONNABORTED:
        return Ended.aborted
      default:
        if (++this.unknown === ERRNO_TRIES) throw failed('read', '/dev/fuse')
        return 0
    }
  }

  send(buffer: IoBuffer, length: number): boolean {
    this.served = true
    for (let tries = 1; ; tries++) {
      if (write(this.current, buffer.address, length) === length) return true
      const error = lastErrno()
      // ENOENT: the caller was killed. The others: the mount went away; the next read will say which.
      if (error === errno.ENOENT || error === errno.ENODEV || error === errno.ECONNABORTED) return false
      if (tries === ERRNO_TRIES) throw new SystemError(error, 'write', '/dev/fuse')
    }
  }
}
