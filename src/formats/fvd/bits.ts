import * as atomics from '../../shared/atomics.js'

/**
 * Rows of bits in shared words, least significant first, which makes them the bytes of the format's bitmap on a
 * little-endian machine. Bit numbers may exceed 2^32.
 */
export function bitWords(bits: number): number {
  return Math.ceil(bits / 32)
}

export function hasBit(words: Int32Array, bit: number): boolean {
  return (atomics.load(words, Math.floor(bit / 32)) & (1 << (bit % 32))) !== 0
}

/** How many bits from `first` on are like it; looks at none from `end` on. */
export function runOfBits(words: Int32Array, first: number, end: number): number {
  return Math.abs(signedRun(words, first, end))
}

/**
 * The same, below 0 when the bits are clear. Where other threads set bits meanwhile, kind and length of the run must come
 * from one look: a bit that was clear for the one and set for the other would make a run of set bits of clear ones.
 */
export function signedRun(words: Int32Array, first: number, end: number): number {
  let index = Math.floor(first / 32)
  const within = first % 32
  const word = atomics.load(words, index)
  const sign = (word & (1 << within)) !== 0 ? 1 : -1
  // All bits that differ from the first one.
  const same = sign > 0 ? -1 : 0
  let different = (word ^ same) & (-1 << within)
  while (different === 0) {
    index++
    if (index * 32 >= end) return sign * (end - first)
    different = atomics.load(words, index) ^ same
  }
  const stop = index * 32 + (31 - Math.clz32(different & -different))
  return sign * (Math.min(stop, end) - first)
}

/** Sets [first, end). Bits of the words at both ends may be changed by other threads meanwhile. */
export function setBits(words: Int32Array, first: number, end: number): void {
  for (let bit = first; bit < end; ) {
    const within = bit % 32
    const count = Math.min(32 - within, end - bit)
    const mask = count === 32 ? -1 : ((1 << count) - 1) << within
    atomics.or(words, Math.floor(bit / 32), mask)
    bit += count
  }
}

/** Returns whether the bit was set. */
export function clearBit(words: Int32Array, bit: number): boolean {
  const mask = 1 << (bit % 32)
  return (atomics.and(words, Math.floor(bit / 32), ~mask) & mask) !== 0
}

/** Returns whether the bit was clear. */
export function setBit(words: Int32Array, bit: number): boolean {
  const mask = 1 << (bit % 32)
  return (atomics.or(words, Math.floor(bit / 32), mask) & mask) === 0
}

/** The first set bit at or after `from`; -1 when there is none. */
export function nextBit(words: Int32Array, from: number): number {
  const bits = words.length * 32
  if (from >= bits) return -1
  if (hasBit(words, from)) return from
  const bit = from + runOfBits(words, from, bits)
  return bit < bits ? bit : -1
}
