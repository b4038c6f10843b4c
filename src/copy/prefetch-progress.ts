import * as atomics from '../shared/atomics.js'
import { Mutex } from '../shared/mutex.js'
import type { PrefetchState as StateName } from './status.js'

/**
 * Where prefetching stands: what the copiers of one image share, and whoever shows it. Read and written under the
 * mutex, but for what stands alone. Times are those of the throttle's clock.
 */
const MUTEX = 0
const STATE = 1
const IN_FLIGHT = 2
/** Failures since the last success. */
const FAILURES = 3
const REASON_LENGTH = 4
const HEADER_WORDS = 8

/** Float64 cells. */
const CURSOR = 0
const PROFILE_ENTRY = 1
const PROFILE_OFFSET = 2
const RESUME_AT = 3
const REQUESTS = 4
const ABSENT_SEEN = 5
const CELLS = 8

const REASON_BYTES = 1024
const REASON_AT = HEADER_WORDS * 4 + CELLS * 8

const NAMES: readonly StateName[] = ['off', 'waiting', 'running', 'paused', 'done']

/** Milliseconds between two attempts at what has failed again and again. */
export const FAILURE_PAUSE = 5000

/** Stands behind an error that is the reason of a pause. */
export const TRYING_AGAIN = `; trying again every ${FAILURE_PAUSE / 1000} s`

export class PrefetchProgress {
  private readonly words: Int32Array
  private readonly cells: Float64Array
  private readonly text: Uint8Array
  private readonly mutex: Mutex

  static allocate(): SharedArrayBuffer {
    return new SharedArrayBuffer(REASON_AT + REASON_BYTES)
  }

  constructor(memory: SharedArrayBuffer) {
    this.words = new Int32Array(memory, 0, HEADER_WORDS)
    this.cells = new Float64Array(memory, HEADER_WORDS * 4, CELLS)
    this.text = new Uint8Array(memory, REASON_AT, REASON_BYTES)
    this.mutex = new Mutex(this.words, MUTEX, 'prefetching')
  }

  /** Runs `act` while no other thread does. */
  alone<T>(act: () => T): T {
    this.mutex.lock()
    try {
      return act()
    } finally {
      this.mutex.unlock()
    }
  }

  get state(): StateName {
    return NAMES[atomics.load(this.words, STATE)]!
  }

  /** `reason`: for people, why it waits or pauses. */
  enter(state: StateName, reason: string | null = null): void {
    const bytes = new TextEncoder().encode(reason ?? '').subarray(0, REASON_BYTES)
    this.text.set(bytes)
    atomics.store(this.words, REASON_LENGTH, bytes.length)
    atomics.store(this.words, STATE, NAMES.indexOf(state))
  }

  get reason(): string | null {
    const length = atomics.load(this.words, REASON_LENGTH)
    return length === 0 ? null : new TextDecoder().decode(this.text.slice(0, length))
  }

  /** Pieces that threads are working on. */
  get inFlight(): number {
    return this.words[IN_FLIGHT]!
  }
  set inFlight(count: number) {
    this.words[IN_FLIGHT] = count
  }

  get failures(): number {
    return this.words[FAILURES]!
  }
  set failures(count: number) {
    this.words[FAILURES] = count
  }

  /** Where the walk through the whole base goes on, bytes. */
  get cursor(): number {
    return this.cells[CURSOR]!
  }
  set cursor(offset: number) {
    this.cells[CURSOR] = offset
  }

  /** The entry of the profile in which the walk through it goes on, and how far in. */
  get profileEntry(): number {
    return this.cells[PROFILE_ENTRY]!
  }
  set profileEntry(entry: number) {
    this.cells[PROFILE_ENTRY] = entry
  }
  get profileOffset(): number {
    return this.cells[PROFILE_OFFSET]!
  }
  set profileOffset(offset: number) {
    this.cells[PROFILE_OFFSET] = offset
  }

  /** When a pause ends. */
  get resumeAt(): number {
    return this.cells[RESUME_AT]!
  }
  set resumeAt(time: number) {
    this.cells[RESUME_AT] = time
  }

  /** Pieces fetched. */
  get requests(): number {
    return this.cells[REQUESTS]!
  }
  set requests(count: number) {
    this.cells[REQUESTS] = count
  }

  /** Whether the walk that is going on found something in the base. */
  get foundAny(): boolean {
    return this.cells[ABSENT_SEEN] !== 0
  }
  set foundAny(found: boolean) {
    this.cells[ABSENT_SEEN] = found ? 1 : 0
  }
}
