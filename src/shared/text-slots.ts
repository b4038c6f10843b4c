import * as atomics from './atomics.js'

/**
 * Texts made at open(2) and read until close(2), by whichever worker gets the request: a fixed number of slots in
 * shared memory. A slot is free (0) or holds a text of `state - 1` bytes; it is claimed by compare-and-exchange and
 * written before its number is known to anybody else, so reading needs no lock.
 */
const SLOTS = 16
const SLOT_BYTES = 1 << 20
const HEADER_BYTES = SLOTS * 4
/** Claimed, not yet written. */
const CLAIMED = -1

export class TextSlots {
  private readonly states: Int32Array
  private readonly bytes: Uint8Array

  static allocate(): SharedArrayBuffer {
    return new SharedArrayBuffer(HEADER_BYTES + SLOTS * SLOT_BYTES)
  }

  constructor(memory: SharedArrayBuffer) {
    this.states = new Int32Array(memory, 0, SLOTS)
    this.bytes = new Uint8Array(memory, HEADER_BYTES)
  }

  /** Keeps the text; returns its slot, or -1 when all are taken or it is too long. */
  put(text: string): number {
    const encoded = Buffer.from(text)
    if (encoded.length > SLOT_BYTES) return -1
    for (let slot = 0; slot < SLOTS; slot++) {
      if (atomics.compareExchange(this.states, slot, 0, CLAIMED) !== 0) continue
      this.bytes.set(encoded, slot * SLOT_BYTES)
      atomics.store(this.states, slot, encoded.length + 1)
      return slot
    }
    return -1
  }

  /** Copies up to `length` bytes of the slot's text from `offset` to `target` at `at`; returns how many. */
  read(slot: number, offset: number, length: number, target: Uint8Array, at: number): number {
    const size = atomics.load(this.states, slot) - 1
    const count = Math.max(0, Math.min(length, size - offset))
    const start = slot * SLOT_BYTES + offset
    target.set(this.bytes.subarray(start, start + count), at)
    return count
  }

  free(slot: number): void {
    atomics.store(this.states, slot, 0)
  }
}
