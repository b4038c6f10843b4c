import { Worker } from 'node:worker_threads'
import { ImageError, type ImageErrorCode } from '../../errors.js'
import { errno } from '../../libc/errno.js'
import { tracer } from '../../trace.js'
import { Exchange, ExchangeState, Kind } from './exchange.js'
import type { HttpThreadTask } from './http-thread.js'
import { type Limits, limitsOf } from './limits.js'

const debug = tracer('http')

/** What openRemote() knows of a file. */
export interface OpenedRemote {
  readonly memory: SharedArrayBuffer
  readonly id: number
  /** Bytes. */
  readonly size: number
  /** The first HEAD_BYTES, or all there are: they came with the one request that an open takes. */
  readonly head: SharedArrayBuffer
}

/**
 * Starts and ends the thread that speaks HTTP: it is there while a file is open. That takes no turn of this thread's
 * event loop, as open() is synchronous like everything of storage.
 */
class HttpClient {
  readonly memory = Exchange.allocate()
  readonly exchange = new Exchange(this.memory)
  users = 0

  constructor(limits: Limits) {
    const workerData: HttpThreadTask = { memory: this.memory, limits }
    const thread = new Worker(new URL('./http-thread.js', import.meta.url), { workerData })
    // Its readers get errors; this thread goes on.
    thread.on('error', error => debug('the thread that speaks HTTP died: %O', error))
    thread.unref()
  }

  end(): void {
    this.exchange.state = ExchangeState.ending
    this.exchange.ring()
  }
}

let client: HttpClient | null = null

/** Throws ImageError; `printable` is the URL for it. */
export function openRemote(url: URL, printable: string): OpenedRemote {
  client ??= new HttpClient(limitsOf(process.env))
  client.users++
  const { memory, exchange } = client
  try {
    const slot = exchange.claim()
    try {
      const text = Buffer.from(url.href)
      exchange.buffer.bytes.set(text, exchange.place(slot))
      exchange.ask(slot, Kind.open, 0, 0, text.length)
      const failure = exchange.wait(slot)
      if (failure !== 0)
        throw new ImageError(codeOf(failure), `${printable}: ${exchange.text(slot)}`, { errno: failure })
      const head = new SharedArrayBuffer(exchange.length(slot))
      new Uint8Array(head).set(
        exchange.buffer.bytes.subarray(exchange.place(slot), exchange.place(slot) + head.byteLength),
      )
      return { memory, id: exchange.file(slot), size: exchange.size(slot), head }
    } finally {
      exchange.free(slot)
    }
  } catch (error) {
    release()
    throw error
  }
}

/** Whoever reads it gets errors from now on. */
export function closeRemote({ memory, id }: OpenedRemote): void {
  if (client?.memory !== memory) return
  const { exchange } = client
  const slot = exchange.claim()
  try {
    exchange.ask(slot, Kind.close, id, 0, 0)
    exchange.wait(slot)
  } catch (error) {
    // Of a file that is only read, nothing is lost; and a thread that died has closed it with all others.
    debug('closing a file on a web server: %O', error)
  } finally {
    exchange.free(slot)
    release()
  }
}

function release(): void {
  if (client === null || --client.users > 0) return
  client.end()
  client = null
}

function codeOf(failure: number): ImageErrorCode {
  if (failure === errno.ENOENT) return 'NOT_FOUND'
  return failure === errno.EACCES ? 'REFUSED' : 'IO'
}
