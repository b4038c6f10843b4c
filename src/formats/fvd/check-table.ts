import type { Findings } from './check-findings.js'
import { memoryOf } from './recover.js'
import type { FvdState } from './state.js'
import { INVALID, NO_STORAGE } from './survey.js'

/** How much of the data file there is for chunks. */
export class Room {
  /** Whole chunks that the file holds. */
  readonly capacity: number
  /** The file ends within the storage of the next one. */
  readonly hasPart: boolean

  constructor(state: FvdState) {
    const { compact } = state.geometry
    this.capacity = compact ? state.capacity : 0
    this.hasPart = compact && state.begunChunks > this.capacity
  }

  /** Whether the storage begins in the file. */
  reaches(entry: number): boolean {
    return entry <= this.capacity || (this.hasPart && entry === this.capacity + 1)
  }
}

/** Memory only: entries that cannot be become empty. Of two chunks that claim one storage, the first keeps it. */
export function mendTable(state: FvdState, room: Room, findings: Findings): { needsExtension: boolean } {
  const { data, table } = state
  const memory = memoryOf(state)
  let largest = 0
  for (let chunk = 0; chunk < table.length; chunk++) {
    const entry = table[chunk]!
    if (room.reaches(entry)) {
      if (entry > largest) largest = entry
      continue
    }
    const what =
      entry === INVALID
        ? 'has an entry that names no storage'
        : `has storage ${entry - 1} at ${state.storageOf(entry - 1)}, behind the end of ${data.path}`
    findings.corruption(`chunk ${chunk} ${what}`, 'made empty')
    memory.setEntry(chunk, NO_STORAGE)
  }
  const named = new Uint32Array(Math.ceil((largest + 1) / 32))
  for (let chunk = 0; chunk < table.length; chunk++) {
    const entry = table[chunk]!
    if (entry === NO_STORAGE) continue
    const mask = 1 << (entry & 31)
    if ((named[entry >>> 5]! & mask) !== 0) {
      findings.corruption(
        `chunk ${chunk} has storage ${entry - 1} at ${state.storageOf(entry - 1)}, which an earlier chunk has`,
        'made empty',
      )
      memory.setEntry(chunk, NO_STORAGE)
    }
    named[entry >>> 5]! |= mask
  }
  const needsExtension = largest > room.capacity
  if (needsExtension) {
    findings.corruption(
      `${data.path} ends at ${data.size()}, within the storage ${largest - 1} of a chunk`,
      'extended, with zeros',
    )
  }
  return { needsExtension }
}

/** Chunks whose storage does not follow that of the one before. */
export function countFragmented(table: Uint32Array): number {
  let fragmented = 0
  let last = NO_STORAGE
  for (const entry of table) {
    if (entry === NO_STORAGE) continue
    if (last !== NO_STORAGE && entry !== last + 1) fragmented++
    last = entry
  }
  return fragmented
}
