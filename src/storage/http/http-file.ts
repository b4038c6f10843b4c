import { ImageError } from '../../errors.js'
import { errno, SystemError } from '../../libc/errno.js'
import { IoBuffer } from '../../libc/io-buffer.js'
import type { FileDescription, StorageFile } from '../storage-file.js'
import { Exchange, Kind } from './exchange.js'
import { closeRemote, type OpenedRemote, openRemote } from './http-client.js'
import { PIECE } from './limits.js'
import { parseUrl, printableUrl } from './url.js'

/** Pieces of one read that are on their way at once. */
const WINDOW = 4

/** Throws ImageError. */
export function openUrl(text: string, writable: boolean): HttpFile {
  const url = parseUrl(text)
  const printable = printableUrl(url)
  if (writable) {
    throw new ImageError(
      'READ_ONLY',
      `${printable}: lies on a web server, and can only be read; mount with -r, or make an image over it with "rawmount create -b"`,
    )
  }
  return new HttpFile(printable, openRemote(url, printable))
}

/**
 * A file on a web server, in one thread: it asks the thread that speaks HTTP, and sleeps meanwhile. What is asked for is
 * fetched as it is, but for the beginning, which came with the open.
 */
export class HttpFile implements StorageFile {
  readonly writable = false
  private readonly exchange: Exchange
  private readonly head: IoBuffer
  /** Slots of the read that is under way, from `oldest` on. */
  private readonly slots = new Int32Array(WINDOW)
  private isGone = false

  constructor(
    readonly path: string,
    private readonly remote: OpenedRemote,
  ) {
    this.exchange = new Exchange(remote.memory)
    this.head = new IoBuffer(remote.head)
  }

  read(buffer: IoBuffer, at: number, length: number, offset: number): number {
    const count = Math.max(0, Math.min(length, this.remote.size - offset))
    const known = Math.max(0, Math.min(count, this.head.length - offset))
    if (known > 0) buffer.copyFrom(this.head, offset, known, at)
    if (known < count) this.fetch(buffer, at + known, count - known, offset + known)
    return count
  }

  write(): void {
    throw new SystemError(errno.EROFS, 'write', this.path)
  }

  sync(): void {}

  zero(): void {
    throw new SystemError(errno.EROFS, 'zero', this.path)
  }

  size(): number {
    return this.remote.size
  }

  truncate(): void {
    throw new SystemError(errno.EROFS, 'truncate', this.path)
  }

  /** Servers do not tell holes. */
  stretch(offset: number, hole: boolean): number {
    return hole ? offset : Math.max(offset, this.remote.size)
  }

  /** Of this machine. */
  allocated(): number {
    return 0
  }

  describe(): FileDescription {
    return { path: this.path, fd: -1, writable: false, remote: this.remote }
  }

  letGo(): void {
    if (this.isGone) return
    this.isGone = true
    closeRemote(this.remote)
  }

  /** Only by who opened it. */
  close(): void {
    this.letGo()
  }

  private fetch(buffer: IoBuffer, at: number, length: number, offset: number): void {
    const { exchange, slots, remote } = this
    let asked = 0
    let taken = 0
    let oldest = 0
    let pending = 0
    let failure: ImageError | null = null
    while (pending > 0 || (asked < length && failure === null)) {
      while (asked < length && pending < WINDOW && failure === null) {
        // With one slot this thread makes progress; for more it does not wait, as others wait for their first.
        const slot = pending === 0 ? exchange.claim() : exchange.tryClaim()
        if (slot < 0) break
        const piece = Math.min(PIECE, length - asked)
        exchange.ask(slot, Kind.read, remote.id, offset + asked, piece)
        slots[(oldest + pending++) % WINDOW] = slot
        asked += piece
      }
      const slot = slots[oldest]!
      const errno = exchange.wait(slot)
      if (errno !== 0) failure ??= new ImageError('IO', exchange.text(slot), { errno })
      else buffer.copyFrom(exchange.buffer, exchange.place(slot), exchange.length(slot), at + taken)
      taken += exchange.length(slot)
      exchange.free(slot)
      oldest = (oldest + 1) % WINDOW
      pending--
    }
    if (failure !== null) throw failure
  }
}
