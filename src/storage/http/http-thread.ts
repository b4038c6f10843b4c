import { workerData } from 'node:worker_threads'
import { errno } from '../../libc/errno.js'
import { tracer } from '../../trace.js'
import { closeConnections } from './call.js'
import { ENDED, Exchange, ExchangeState, Kind } from './exchange.js'
import { HEAD_BYTES, type Limits, PIECE } from './limits.js'
import { RemoteFile } from './remote-file.js'
import { Trouble } from './trouble.js'
import { parseUrl } from './url.js'

const log = tracer('http')

/** What the HTTP thread is started with. */
export interface HttpThreadTask {
  readonly memory: SharedArrayBuffer
  readonly limits: Limits
}

/**
 * The thread that speaks HTTP, with Node's client, for all threads of the process: it takes requests from the exchange
 * and lives on its event loop, so any number are under way at once.
 */
const { memory, limits } = workerData as HttpThreadTask
const exchange = new Exchange(memory)
const files = new Map<number, RemoteFile>()
let lastFile = 0

async function open(slot: number): Promise<void> {
  const file = new RemoteFile(parseUrl(exchange.text(slot)), limits)
  const length = await file.open(HEAD_BYTES, piece(slot, HEAD_BYTES))
  files.set(++lastFile, file)
  exchange.answer(slot, lastFile, file.size, length)
}

async function read(slot: number): Promise<void> {
  const file = files.get(exchange.file(slot))
  if (file === undefined) throw new Trouble('the file was closed', 'open it again', { errno: errno.EBADF })
  const length = exchange.length(slot)
  const began = performance.now()
  try {
    await file.read(exchange.offset(slot), piece(slot, length))
  } catch (error) {
    if (!(error instanceof Trouble)) throw error
    // "No such file" is no answer for a file that is open.
    exchange.fail(
      slot,
      error.errno === errno.ETIMEDOUT ? errno.ETIMEDOUT : errno.EIO,
      `${file.printable}: ${error.message}`,
    )
    return
  }
  if (log.enabled) {
    const took = (performance.now() - began).toFixed(1)
    log('%s: %d bytes at %d in %s ms', file.printable, length, exchange.offset(slot), took)
  }
  exchange.answer(slot, 0, 0, length)
}

async function close(slot: number): Promise<void> {
  const id = exchange.file(slot)
  files.get(id)?.close()
  files.delete(id)
  exchange.answer(slot, 0, 0, 0)
}

function serve(slot: number): void {
  const kind = exchange.kind(slot)
  const served = kind === Kind.open ? open(slot) : kind === Kind.read ? read(slot) : close(slot)
  served.catch((error: Error) => {
    exchange.fail(slot, (error as { errno?: number }).errno ?? errno.EIO, error.message)
  })
}

function piece(slot: number, length: number): Uint8Array {
  if (length > PIECE) throw new RangeError(`${length} bytes are more than a slot has`)
  const start = exchange.place(slot)
  return exchange.buffer.bytes.subarray(start, start + length)
}

// However this thread ends, nobody waits for it any more.
process.on('exit', () => {
  exchange.state = ExchangeState.ended
  exchange.failAll(errno.EIO, ENDED)
})

const alive = setInterval(() => {}, 2 ** 30)
for (;;) {
  const { bell } = exchange
  exchange.takeAsked(serve)
  if (exchange.state === ExchangeState.ending) break
  await exchange.bellRang(bell)
}
for (const file of files.values()) file.close()
closeConnections()
clearInterval(alive)
