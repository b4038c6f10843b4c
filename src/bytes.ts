const TWO_TO_32 = 0x1_0000_0000

/**
 * A little-endian u64 as a number. Above 2^53 it is not exact: check with Number.isSafeInteger before use, as
 * every header reader must anyway.
 */
export function readU64(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * TWO_TO_32
}

/** As readU64, of a big-endian u64. */
export function readU64BigEndian(view: DataView, at: number): number {
  return view.getUint32(at) * TWO_TO_32 + view.getUint32(at + 4)
}

export function writeU64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % TWO_TO_32, true)
  view.setUint32(at + 4, Math.floor(value / TWO_TO_32), true)
}

/** `value` rounded up to a multiple of `unit`; works above 2^32, where bit masks do not. */
export function roundUp(value: number, unit: number): number {
  const rest = value % unit
  return rest === 0 ? value : value + unit - rest
}

export function roundDown(value: number, unit: number): number {
  return value - (value % unit)
}

export function isPowerOfTwo(value: number): boolean {
  // log2 alone is not exact: 2^50 + 1 has the same as 2^50.
  return Number.isSafeInteger(value) && value > 0 && 2 ** Math.round(Math.log2(value)) === value
}
