import { ImageError } from '../../errors.js'
import { IoBuffer } from '../../libc/io-buffer.js'
import * as atomics from '../../shared/atomics.js'
import { PIECE } from './limits.js'

/**
 * Requests between threads that sleep until they are answered and the thread that speaks HTTP, in shared memory.
 *
 * A slot, and who changes its state:
 *
 *   FREE → CLAIMED    the asker, by compare-and-exchange; it fills in what it wants
 *   CLAIMED → ASKED   the asker, who then rings the bell and sleeps on the slot's state
 *   ASKED → SERVING   the HTTP thread; the piece of memory is its own now
 *   SERVING → DONE    the HTTP thread, which wakes the asker
 *   DONE → FREE       the asker, when it has taken the answer; it wakes who waits for a slot
 *
 * The asker has no time limit of its own but the last one, against bugs: the HTTP thread answers every request within
 * its limits. When it has ended, it answers what it finds; who asks after that sees the state of the exchange, which is
 * set before the last look at the slots, as a slot's state is before the asker's look at it.
 */
const SLOTS = 64

const BELL = 0
const STATE = 1
const FREED = 2
const HEADER_WORDS = 16

const SLOT_STATE = 0
const KIND = 1
const FILE = 2
const ERRNO = 3
const SLOT_WORDS = 4

const OFFSET = 0
const LENGTH = 1
const SIZE = 2
const SLOT_NUMBERS = 3

const FREE = 0
const CLAIMED = 1
const ASKED = 2
const SERVING = 3
const DONE = 4

const NUMBERS_AT = (HEADER_WORDS + SLOTS * SLOT_WORDS) * 4
const DATA_AT = roundToPage(NUMBERS_AT + SLOTS * SLOT_NUMBERS * 8)

export const Kind = { open: 0, read: 1, close: 2 } as const

export const ExchangeState = { running: 0, ending: 1, ended: 2 } as const

export const ENDED = 'the thread that speaks HTTP has ended; open the image again'

function roundToPage(bytes: number): number {
  return Math.ceil(bytes / 4096) * 4096
}

/** The memory, and what both sides do with it. */
export class Exchange {
  readonly buffer: IoBuffer
  protected readonly words: Int32Array
  private readonly numbers: Float64Array

  /** Pages that are never touched cost nothing. */
  static allocate(): SharedArrayBuffer {
    return new SharedArrayBuffer(DATA_AT + SLOTS * PIECE)
  }

  constructor(memory: SharedArrayBuffer) {
    this.words = new Int32Array(memory, 0, NUMBERS_AT / 4)
    this.numbers = new Float64Array(memory, NUMBERS_AT, SLOTS * SLOT_NUMBERS)
    this.buffer = new IoBuffer(memory)
  }

  get state(): number {
    return atomics.load(this.words, STATE)
  }

  set state(value: number) {
    atomics.store(this.words, STATE, value)
  }

  ring(): void {
    atomics.add(this.words, BELL, 1)
    atomics.wake(this.words, BELL, 1)
  }

  get bell(): number {
    return atomics.load(this.words, BELL)
  }

  bellRang(since: number): Promise<void> {
    return atomics.changed(this.words, BELL, since)
  }

  /** Where the slot's piece of memory begins in `buffer`. */
  place(slot: number): number {
    return DATA_AT + slot * PIECE
  }

  kind(slot: number): number {
    return this.words[this.word(slot, KIND)]!
  }

  file(slot: number): number {
    return this.words[this.word(slot, FILE)]!
  }

  offset(slot: number): number {
    return this.numbers[slot * SLOT_NUMBERS + OFFSET]!
  }

  /** Bytes: asked for, or after open of the text, and in answers of what is in the slot's memory. */
  length(slot: number): number {
    return this.numbers[slot * SLOT_NUMBERS + LENGTH]!
  }

  size(slot: number): number {
    return this.numbers[slot * SLOT_NUMBERS + SIZE]!
  }

  text(slot: number): string {
    const start = this.place(slot)
    return Buffer.from(this.buffer.bytes.subarray(start, start + this.length(slot))).toString()
  }

  /** The HTTP thread's: slots that ask and are not yet served, which they are now. */
  takeAsked(serve: (slot: number) => void): void {
    for (let slot = 0; slot < SLOTS; slot++) {
      const word = this.word(slot, SLOT_STATE)
      if (atomics.compareExchange(this.words, word, ASKED, SERVING) === ASKED) serve(slot)
    }
  }

  /** The HTTP thread's, after it filled `length` bytes of the slot's memory. */
  answer(slot: number, file: number, size: number, length: number): void {
    this.words[this.word(slot, ERRNO)] = 0
    this.set(slot, file, size, length)
    this.done(slot)
  }

  /** The HTTP thread's. */
  fail(slot: number, errno: number, message: string): void {
    const text = Buffer.from(message).subarray(0, PIECE)
    this.buffer.bytes.set(text, this.place(slot))
    this.words[this.word(slot, ERRNO)] = errno
    this.set(slot, 0, 0, text.length)
    this.done(slot)
  }

  /** The HTTP thread's last words: whatever still waits for an answer gets this one. */
  failAll(errno: number, message: string): void {
    for (let slot = 0; slot < SLOTS; slot++) {
      const state = atomics.load(this.words, this.word(slot, SLOT_STATE))
      if (state === ASKED || state === SERVING) this.fail(slot, errno, message)
    }
  }

  /** A slot of one's own; -1 when all are taken. */
  tryClaim(): number {
    for (let slot = 0; slot < SLOTS; slot++) {
      if (atomics.compareExchange(this.words, this.word(slot, SLOT_STATE), FREE, CLAIMED) === FREE)
        return slot
    }
    return -1
  }

  claim(): number {
    for (;;) {
      const freed = atomics.load(this.words, FREED)
      const slot = this.tryClaim()
      if (slot >= 0) return slot
      if (!atomics.wait(this.words, FREED, freed, atomics.WAIT_LIMIT)) {
        throw new ImageError('IO', `waited ${atomics.WAIT_LIMIT / 1000} s for servers that do not answer`)
      }
    }
  }

  free(slot: number): void {
    atomics.store(this.words, this.word(slot, SLOT_STATE), FREE)
    atomics.add(this.words, FREED, 1)
    atomics.wake(this.words, FREED, 1)
  }

  /** Asks by a slot that was claimed. */
  ask(slot: number, kind: number, file: number, offset: number, length: number): void {
    this.words[this.word(slot, KIND)] = kind
    this.words[this.word(slot, FILE)] = file
    this.numbers[slot * SLOT_NUMBERS + OFFSET] = offset
    this.numbers[slot * SLOT_NUMBERS + LENGTH] = length
    atomics.store(this.words, this.word(slot, SLOT_STATE), ASKED)
    this.ring()
  }

  /** Sleeps until the slot is answered; returns the errno, 0 for none. */
  wait(slot: number): number {
    const word = this.word(slot, SLOT_STATE)
    const deadline = Date.now() + atomics.WAIT_LIMIT
    for (;;) {
      const state = atomics.load(this.words, word)
      if (state === DONE) return this.words[this.word(slot, ERRNO)]!
      // The slot is lost, with all others: its state cannot be trusted any more.
      if (this.state === ExchangeState.ended) throw new ImageError('IO', ENDED)
      if (!atomics.wait(this.words, word, state, atomics.WAIT_LIMIT) || Date.now() > deadline)
        throw new ImageError('IO', 'the thread that speaks HTTP does not answer: this is a bug in rawmount')
    }
  }

  private set(slot: number, file: number, size: number, length: number): void {
    this.words[this.word(slot, FILE)] = file
    this.numbers[slot * SLOT_NUMBERS + SIZE] = size
    this.numbers[slot * SLOT_NUMBERS + LENGTH] = length
  }

  private done(slot: number): void {
    const word = this.word(slot, SLOT_STATE)
    atomics.store(this.words, word, DONE)
    atomics.wake(this.words, word, 1)
  }

  private word(slot: number, field: number): number {
    return HEADER_WORDS + slot * SLOT_WORDS + field
  }
}
