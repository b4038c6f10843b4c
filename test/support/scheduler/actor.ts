import { Copier } from '../../../src/copy/copier.js'
import { PrefetchProgress } from '../../../src/copy/prefetch-progress.js'
import { Throttle } from '../../../src/copy/throttle.js'
import type { CopyPath, Meter } from '../../../src/disk/copy-path.js'
import type { Disk } from '../../../src/disk/disk.js'
import { DEFAULT_COPY_SETTINGS } from '../../../src/formats/copy-settings.js'
import { IoBuffer } from '../../../src/libc/io-buffer.js'
import { Gate } from '../../../src/shared/gate.js'
import { fillPattern, type Origin, pattern, SECTOR } from '../pattern.js'
import { SharedFile } from '../shared-storage.js'

/**
 * What a thread of a run does, one after the other. Bytes, whole sectors.
 *
 * store: what readers fetched, one range of it, if there is one; serve: all of it, until nobody else can go on;
 * prefetch: what of a range is still in the base, piece by piece; complete: if nothing is in the base any more, says so in
 * the header, and lets the base go; copier: a whole copier thread, until all is in the image; close: keeps copiers out, and
 * waits for those that are in.
 */
export type Act =
  | { readonly kind: 'write'; readonly offset: number; readonly length: number; readonly version: number }
  | { readonly kind: 'zero' | 'read'; readonly offset: number; readonly length: number }
  | { readonly kind: 'prefetch'; readonly offset: number; readonly length: number; readonly piece: number }
  | { readonly kind: 'copier'; readonly index: number; readonly piece: number }
  | { readonly kind: 'flush' | 'store' | 'serve' | 'complete' | 'close' }

/** An act as it went; times are ticks of the run. */
export interface Event {
  readonly act: Act
  readonly invoked: number
  readonly returned: number
  /** Of a read: whose bytes each sector shows (contentOf). */
  readonly seen?: readonly number[]
  /** Of "complete": the header says so now. */
  readonly independent?: boolean
  /** Of a flush: the witness is the image as it was when it returned. */
  readonly witnessed?: boolean
}

/** What came of an act. */
export type Outcome = Pick<Event, 'seen' | 'independent' | 'witnessed'>

const NOTHING: Outcome = {}

/** Nobody measures. */
const METER: Meter = { beginRead() {}, endRead() {}, beginWrite() {}, endWrite() {} }

/** No write's: a mixture of several, or bytes of another sector. */
export const TORN = -1

/** One number for a write's contents; 0 for zeros. */
export function content(version: number, origin: Origin): number {
  return version === 0 ? 0 : origin * 0x1000000 + version
}

/** By content and sector: the same few come again and again. */
const wanted = new Map<number, Uint8Array>()

/** The content of a whole sector that was read at `offset`; TORN when it is none. */
export function contentOf(sector: Uint8Array, offset: number): number {
  const version = sector[4]! | (sector[5]! << 8) | (sector[6]! << 16)
  const origin = (sector[7]! >> 6) as Origin
  const found = content(version, origin)
  const key = (offset / SECTOR) * 2 ** 27 + found
  let bytes = wanted.get(key)
  if (bytes === undefined) {
    bytes = version === 0 ? new Uint8Array(SECTOR) : pattern(offset, SECTOR, version, origin)
    wanted.set(key, bytes)
  }
  return Buffer.compare(bytes, sector) === 0 ? found : TORN
}

/** What copiers share besides the disk. */
export interface CopierMemory {
  readonly progress: SharedArrayBuffer
  readonly throttle: SharedArrayBuffer
}

/** What a thread acts on. */
export class Actor {
  private readonly buffer = new IoBuffer(1 << 20)

  constructor(
    private readonly disk: Disk,
    private readonly copiers: CopierMemory,
    /** Becomes the image as it is when it says that it needs no base, or when the first flush returns. */
    private readonly witness: SharedFile,
  ) {}

  perform(act: Act): Outcome {
    const { disk, buffer } = this
    switch (act.kind) {
      case 'write':
        fillPattern(buffer.bytes.subarray(0, act.length), act.offset, act.version, 0)
        disk.write(act.offset, act.length, buffer, 0)
        return NOTHING
      case 'zero':
        disk.zero(act.offset, act.length)
        return NOTHING
      case 'flush':
        disk.flush()
        return { witnessed: this.witnessImage(false) }
      case 'read':
        disk.read(act.offset, act.length, buffer, 0)
        return { seen: contentsOf(buffer.bytes, act.offset, act.length) }
      case 'store':
        this.copies.storeOne()
        return NOTHING
      case 'serve':
        return this.serve()
      case 'prefetch':
        return this.prefetch(act.offset, act.offset + act.length, act.piece)
      case 'complete':
        return this.complete()
      case 'copier':
        return this.copy(act.index, act.piece)
      case 'close':
        return this.close()
    }
  }

  private get copies(): CopyPath {
    if (this.disk.copies === null) throw new TypeError('nothing is copied on this stage')
    return this.disk.copies
  }

  private serve(): Outcome {
    const { copies } = this
    const { ring } = copies
    for (;;) {
      const { bell } = ring
      while (copies.storeOne());
      ring.wait(bell, 100)
      if (ring.bell === bell) return NOTHING
    }
  }

  private prefetch(start: number, end: number, piece: number): Outcome {
    const { copies } = this
    for (let next = start; next < end; ) {
      const found = copies.nextAbsent(next, end)
      if (found < 0) break
      const from = found - (found % copies.grain)
      const length = Math.min(piece, end - from)
      copies.copyPiece(from, length, METER)
      next = from + length
    }
    return NOTHING
  }

  private complete(): Outcome {
    const { copies } = this
    if (copies.nextAbsent(0, copies.covered) >= 0 || !copies.becomeIndependent())
      return { independent: false }
    return this.letGo()
  }

  /** Of the first flush of a run, or, which counts for more, the end of a prefetch. */
  private witnessImage(isEnd: boolean): boolean {
    const { witness } = this
    if (isEnd ? witness.isSealed : witness.size() !== 0) return false
    witness.become(new SharedFile(this.disk.describe().layers[0]!.file))
    if (isEnd) witness.seal()
    return true
  }

  private letGo(): Outcome {
    const [, ...bases] = this.disk.describe().layers
    const witnessed = this.witnessImage(true)
    for (const { file } of bases) new SharedFile(file).letGo()
    return { independent: true, witnessed }
  }

  /** As copier-thread.ts, in a time that passes only while the thread sleeps. */
  private copy(index: number, pieceBytes: number): Outcome {
    const { copies, copiers } = this
    const { ring } = copies
    let time = 0
    const settings = { ...DEFAULT_COPY_SETTINGS, pieceBytes, leastReadRate: 0, leastWriteRate: 0 }
    const progress = new PrefetchProgress(copiers.progress)
    const throttle = new Throttle(copiers.throttle, settings, () => time)
    const task = { index, settings, detaches: true, profile: [], profileAt: null, allAt: 0 }
    const copier = new Copier(
      copies,
      progress,
      throttle,
      task,
      () => time,
      () => 0,
    )
    for (;;) {
      const { bell } = ring
      const wait = copier.step()
      if (progress.state === 'done') return this.letGo()
      if (wait === 0) continue
      ring.wait(bell, Math.min(wait, 1000))
      time += Math.min(wait, 1000)
    }
  }

  private close(): Outcome {
    const gate = new Gate(this.disk.describe().copying!.gate)
    gate.close()
    if (!gate.waitUntilEmpty(100_000)) throw new Error('a copier did not leave')
    const [layer] = this.disk.describe().layers
    new SharedFile(layer!.file).seal()
    return NOTHING
  }
}

export function contentsOf(bytes: Uint8Array, offset: number, length: number): number[] {
  const seen: number[] = []
  for (let done = 0; done < length; done += SECTOR) {
    seen.push(contentOf(bytes.subarray(done, done + SECTOR), offset + done))
  }
  return seen
}
