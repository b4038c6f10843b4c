import { usedPieces } from './used-pieces.js'

/** A table entry in memory: the chunk's id + 1, so that untouched memory means no storage. */
export const NO_STORAGE = 0
/** The entry cannot be right: reading the chunk is an error. */
export const INVALID = 0xffffffff

/** What the entries of a table, taken together, say of the storage. */
export interface Survey {
  /** One behind the largest id. */
  readonly next: number
  readonly used: number
  /** Pairs of first id and count: ids below `next` that no entry names. */
  readonly gaps: Uint32Array
  readonly leaked: number
  /** Guest chunks whose id an earlier one has. */
  readonly doubled: readonly number[]
  /** Guest chunks whose storage does not lie in the file as a whole. */
  readonly outside: readonly number[]
}

/** How many wrong chunks are listed. */
const LIST_LIMIT = 1000

/** `capacity`: the chunks that the file holds. INVALID entries count as outside. */
export function survey(table: Uint32Array, capacity: number): Survey {
  const outside: number[] = []
  const doubled: number[] = []
  let largest = 0
  for (const { start, end } of usedPieces(table)) {
    for (let chunk = start; chunk < end; chunk++) {
      const entry = table[chunk]!
      if (entry > capacity) note(outside, chunk)
      else if (entry > largest) largest = entry
    }
  }
  // Bit 0 stands for NO_STORAGE.
  const named = new Uint32Array(Math.ceil((largest + 1) / 32))
  named[0] = 1
  let used = 0
  for (const { start, end } of usedPieces(table)) {
    for (let chunk = start; chunk < end; chunk++) {
      const entry = table[chunk]!
      if (entry === NO_STORAGE || entry > capacity) continue
      const mask = 1 << (entry & 31)
      if ((named[entry >>> 5]! & mask) !== 0) note(doubled, chunk)
      else used++
      named[entry >>> 5]! |= mask
    }
  }
  const gaps = findGaps(named, largest)
  let leaked = 0
  for (let i = 1; i < gaps.length; i += 2) leaked += gaps[i]!
  return { next: largest, used, gaps, leaked, doubled, outside }
}

function findGaps(named: Uint32Array, largest: number): Uint32Array {
  const gaps: number[] = []
  let start = -1
  for (let entry = 1; entry <= largest; entry++) {
    if (entry % 32 === 0 && named[entry >>> 5] === (start < 0 ? 0xffffffff : 0) && entry + 31 <= largest) {
      entry += 31
      continue
    }
    const isNamed = (named[entry >>> 5]! & (1 << (entry & 31))) !== 0
    if (isNamed && start >= 0) {
      gaps.push(start - 1, entry - start)
      start = -1
    } else if (!isNamed && start < 0) start = entry
  }
  return Uint32Array.from(gaps)
}

function note(list: number[], chunk: number): void {
  if (list.length < LIST_LIMIT) list.push(chunk)
}
