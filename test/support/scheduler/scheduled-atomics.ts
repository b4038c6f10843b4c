import { addressOf } from '../../../src/libc/library.js'
import { Kind, Level, turns } from './turns.js'

/**
 * In the place of src/shared/atomics.ts, in the copy of the program whose threads take turns (patched-program.ts): each
 * access to shared memory is a point at which another thread may go on.
 */
export const WAIT_LIMIT = 120_000

export function load(words: Int32Array, index: number): number {
  point(index)
  return Atomics.load(words, index)
}

export function store(words: Int32Array, index: number, value: number): void {
  point(index)
  Atomics.store(words, index, value)
}

export function loadUnsigned(words: Uint32Array, index: number): number {
  point(index)
  return Atomics.load(words, index)
}

export function storeUnsigned(words: Uint32Array, index: number, value: number): void {
  point(index)
  Atomics.store(words, index, value)
}

export function add(words: Int32Array, index: number, value: number): number {
  point(index)
  return Atomics.add(words, index, value)
}

export function or(words: Int32Array, index: number, bits: number): number {
  point(index)
  return Atomics.or(words, index, bits)
}

export function and(words: Int32Array, index: number, bits: number): number {
  point(index)
  return Atomics.and(words, index, bits)
}

export function exchange(words: Int32Array, index: number, value: number): number {
  point(index)
  return Atomics.exchange(words, index, value)
}

/** How a lock is taken. */
export function compareExchange(words: Int32Array, index: number, expected: number, value: number): number {
  turns()?.point(Level.coarse, Kind.lock, index)
  return Atomics.compareExchange(words, index, expected, value)
}

export function wait(words: Int32Array, index: number, expected: number, milliseconds: number): boolean {
  const taking = turns()
  if (taking === null) return Atomics.wait(words, index, expected, milliseconds) !== 'timed-out'
  taking.point(Level.coarse, Kind.memory, index)
  if (Atomics.load(words, index) !== expected) return true
  return taking.wait(addressOfWord(words, index), milliseconds)
}

export function wake(words: Int32Array, index: number, count: number): void {
  point(index)
  const taking = turns()
  if (taking === null) Atomics.notify(words, index, count)
  else taking.wake(addressOfWord(words, index), count)
}

function point(index: number): void {
  turns()?.point(Level.fine, Kind.memory, index)
}

const addresses = new WeakMap<Int32Array, number>()

/** The same in all threads, whose views of one memory are different objects. */
function addressOfWord(words: Int32Array, index: number): number {
  let address = addresses.get(words)
  if (address === undefined) {
    address = addressOf(new Uint8Array(words.buffer, words.byteOffset, 1))
    addresses.set(words, address)
  }
  return address + index * 4
}
