import { fstatSync, openSync } from 'node:fs'
import { basename } from 'node:path'
import { monotonicTime } from '../../src/copy/throttle.js'
import type { Attributes, Caching } from '../../src/fuse/file-system.js'
import { errno, SystemError } from '../../src/libc/errno.js'
import { pread } from '../../src/libc/files.js'
import type { IoBuffer } from '../../src/libc/io-buffer.js'
import { type FileNode, refuse } from '../../src/mount/nodes.js'
import * as atomics from '../../src/shared/atomics.js'
import { Mutex } from '../../src/shared/mutex.js'

/** How a file answers. Absent fields stay as they are. */
export interface SlowOptions {
  /** Bytes per second, all readers together; null: as fast as it can. */
  readonly rate?: number | null
  /** Milliseconds that each read takes besides; reads at the same time share them. */
  readonly latency?: number
  /** What every read fails with; null: they succeed. */
  readonly fail?: keyof typeof errno | null
  /** Reads do not return. */
  readonly hang?: boolean
  /** The file seems to be so long; null: as long as it is. */
  readonly visibleSize?: number | null
}

export interface ReadCounts {
  readonly requests: number
  readonly bytes: number
  readonly errors: number
}

export interface LoggedRead {
  readonly offset: number
  readonly length: number
}

const Word = { mutex: 0, fail: 1, hang: 2, sleep: 3, length: 4 } as const
const Cell = {
  rate: 0,
  latency: 1,
  visibleSize: 2,
  free: 3,
  requests: 4,
  bytes: 5,
  errors: 6,
  logged: 7,
  length: 8,
} as const
const LOG_LIMIT = 1 << 16

/** What all threads that serve a slow file share, and who controls it. */
export class SlowControl {
  readonly words: Int32Array
  readonly cells: Float64Array
  private readonly log: Float64Array
  private readonly mutex: Mutex

  static allocate(): SharedArrayBuffer {
    const memory = new SharedArrayBuffer(Word.length * 4 + Cell.length * 8 + LOG_LIMIT * 16)
    new SlowControl(memory).cells[Cell.visibleSize] = -1
    return memory
  }

  constructor(memory: SharedArrayBuffer) {
    this.words = new Int32Array(memory, 0, Word.length)
    this.cells = new Float64Array(memory, Word.length * 4, Cell.length)
    this.log = new Float64Array(memory, Word.length * 4 + Cell.length * 8, LOG_LIMIT * 2)
    this.mutex = new Mutex(this.words, Word.mutex, 'slow file')
  }

  set({ rate, latency, fail, hang, visibleSize }: SlowOptions): void {
    if (rate !== undefined) this.cells[Cell.rate] = rate ?? 0
    if (latency !== undefined) this.cells[Cell.latency] = latency
    if (fail !== undefined) atomics.store(this.words, Word.fail, fail === null ? 0 : errno[fail])
    if (visibleSize !== undefined) this.cells[Cell.visibleSize] = visibleSize ?? -1
    if (hang === undefined) return
    atomics.store(this.words, Word.hang, hang ? 1 : 0)
    atomics.wake(this.words, Word.hang, 1000)
  }

  counts(): ReadCounts {
    const { cells } = this
    return { requests: cells[Cell.requests]!, bytes: cells[Cell.bytes]!, errors: cells[Cell.errors]! }
  }

  reads(): LoggedRead[] {
    return Array.from({ length: this.cells[Cell.logged]! }, (_, n) => ({
      offset: this.log[n * 2]!,
      length: this.log[n * 2 + 1]!,
    }))
  }

  reset(): void {
    this.cells.fill(0, Cell.requests, Cell.logged + 1)
  }

  get visibleSize(): number {
    return this.cells[Cell.visibleSize]!
  }

  /** Before a read: returns the errno that it fails with, 0 for none. Waits while it hangs. */
  begin(): number {
    while (atomics.load(this.words, Word.hang) !== 0) atomics.wait(this.words, Word.hang, 1, 1000)
    const fail = atomics.load(this.words, Word.fail)
    if (fail !== 0) this.alone(() => this.cells[Cell.errors]!++)
    return fail
  }

  /** After a read of so many bytes: sleeps until the rate and the latency let them out. */
  end(offset: number, count: number, begun: number): void {
    const { cells } = this
    const until = this.alone(() => {
      const number = cells[Cell.logged]!
      if (number < LOG_LIMIT) {
        this.log[number * 2] = offset
        this.log[number * 2 + 1] = count
        cells[Cell.logged]!++
      }
      cells[Cell.requests]!++
      cells[Cell.bytes]! += count
      const rate = cells[Cell.rate]!
      if (rate === 0) return begun
      cells[Cell.free] = Math.max(cells[Cell.free]!, begun) + (count / rate) * 1000
      return cells[Cell.free]!
    })
    const wait = until + cells[Cell.latency]! - monotonicTime()
    if (wait > 0) atomics.wait(this.words, Word.sleep, 0, wait)
  }

  private alone<T>(act: () => T): T {
    this.mutex.lock()
    const result = act()
    this.mutex.unlock()
    return result
  }
}

/** A file of the system, read through with the speed that is asked for; every read comes here. */
export class SlowFile implements FileNode {
  readonly name: string
  readonly caching: Caching = 'direct'
  private readonly fd: number

  constructor(
    path: string,
    private readonly speed: SlowControl,
  ) {
    this.name = basename(path)
    this.fd = openSync(path, 'r')
  }

  attributes(out: Attributes): void {
    out.mode = 0o100444
    out.size = this.speed.visibleSize < 0 ? fstatSync(this.fd).size : this.speed.visibleSize
    out.blocks = Math.ceil(out.size / 512)
  }

  change(): void {
    throw refuse('EROFS', 'setattr', this.name)
  }

  open(): number {
    return 0
  }

  read(_handle: number, buffer: IoBuffer, at: number, length: number, offset: number): number {
    const begun = monotonicTime()
    const failure = this.speed.begin()
    if (failure !== 0) throw new SystemError(failure, 'read', this.name)
    const end = this.speed.visibleSize < 0 ? offset + length : this.speed.visibleSize
    const wanted = Math.max(0, Math.min(length, end - offset))
    const count = wanted === 0 ? 0 : pread(this.fd, buffer.address + at, wanted, offset)
    this.speed.end(offset, count, begun)
    return count
  }

  write(): number {
    throw refuse('EROFS', 'write', this.name)
  }

  release(): void {}

  sync(): void {}

  allocate(): void {
    throw refuse('EROFS', 'fallocate', this.name)
  }

  /** As file systems on a network do. */
  seek(): number {
    throw refuse('EINVAL', 'lseek', this.name)
  }
}
