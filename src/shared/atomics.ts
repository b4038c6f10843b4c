/**
 * All waiting and all atomic access of the project: no other file mentions Atomics, so that a test can put a
 * scheduler in its place. Memory is a SharedArrayBuffer seen as 32-bit words.
 */

/** Milliseconds after which a wait gives up: a lock held this long is a bug, or a disk that hangs. */
export const WAIT_LIMIT = 120_000

export function load(words: Int32Array, index: number): number {
  return Atomics.load(words, index)
}

export function store(words: Int32Array, index: number, value: number): void {
  Atomics.store(words, index, value)
}

export function loadUnsigned(words: Uint32Array, index: number): number {
  return Atomics.load(words, index)
}

export function storeUnsigned(words: Uint32Array, index: number, value: number): void {
  Atomics.store(words, index, value)
}

/** Returns the value before the addition. */
export function add(words: Int32Array, index: number, value: number): number {
  return Atomics.add(words, index, value)
}

/** Sets bits; returns the word before. */
export function or(words: Int32Array, index: number, bits: number): number {
  return Atomics.or(words, index, bits)
}

/** Keeps only these bits; returns the word before. */
export function and(words: Int32Array, index: number, bits: number): number {
  return Atomics.and(words, index, bits)
}

export function exchange(words: Int32Array, index: number, value: number): number {
  return Atomics.exchange(words, index, value)
}

/** Stores `value` if `expected` was there; returns what was there. */
export function compareExchange(words: Int32Array, index: number, expected: number, value: number): number {
  return Atomics.compareExchange(words, index, expected, value)
}

/** Sleeps while `expected` is there; false when `milliseconds` went by without a wake-up. */
export function wait(words: Int32Array, index: number, expected: number, milliseconds: number): boolean {
  return Atomics.wait(words, index, expected, milliseconds) !== 'timed-out'
}

export function wake(words: Int32Array, index: number, count: number): void {
  Atomics.notify(words, index, count)
}

/** For a thread that lives on its event loop: resolves when `expected` is there no more, and somebody said wake(). */
export async function changed(words: Int32Array, index: number, expected: number): Promise<void> {
  await Atomics.waitAsync(words, index, expected).value
}
