import koffi from 'koffi'

/**
 * The C library, and the one way to call it. A call takes and gives numbers only: koffi converts those
 * without allocating, where a Buffer argument or a BigInt result would. Addresses come from IoBuffer.
 */
const libc = koffi.load('libc.so.6')

/** Declares a function of the C library, once per thread, at import. @see https://koffi.dev/functions */
export function declare(prototype: string): (...args: (number | string | null)[]) => number {
  return libc.func(prototype) as unknown as (...args: (number | string | null)[]) => number
}

/**
 * How often a call that fails in an unknown way is made before that is believed. The runtime makes calls of its own, and one
 * of those, in a garbage collection say, can fail between ours and the question for its errno, which then is that other
 * call's. So who decides by an errno, and not only tells it, asks again.
 */
export const ERRNO_TRIES = 3

/** errno of the last declared call of this thread that failed. */
export function lastErrno(): number {
  return koffi.errno()
}

/** The address of memory outside the garbage collected heap; see IoBuffer for what must be kept in mind. */
export function addressOf(memory: Uint8Array): number {
  return Number(koffi.address(memory))
}
