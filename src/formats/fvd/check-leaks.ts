import { roundDown, roundUp } from '../../bytes.js'
import type { Findings } from './check-findings.js'
import { PAGE } from './layout.js'
import { isFixedSize } from './resized-file.js'
import type { FvdState } from './state.js'

/** Pairs of first id and count, of storage that no entry names. */
type Gaps = Uint32Array

/** Chunks in the gaps that take room: what is a hole in the file wastes nothing. */
export function countLeaks(state: FvdState, gaps: Gaps, findings: Findings | null): number {
  let leaks = 0
  forEachGap(gaps, (first, count) => {
    const start = state.storageOf(first)
    const stored = chunksStored(state, start, count)
    leaks += stored
    if (stored === 0 || findings === null) return
    const ids = count === 1 ? `storage ${first}` : `storage ${first} to ${first + count - 1}`
    findings.leak(`${ids} at ${start}, which no entry of the table names`)
  })
  return leaks
}

/** Not durable before the next barrier. */
export function giveBack(state: FvdState, gaps: Gaps): void {
  forEachGap(gaps, (first, count) => {
    state.data.zero(state.storageOf(first), count * state.geometry.chunkSize)
  })
}

/**
 * Cuts off what lies behind `end` when there is anything in it: chunks of a session that crashed before it could name
 * them. Room that the file has grown by is a hole, and stays. Returns how many bytes went.
 */
export function cutTail({ data }: FvdState, end: number): number {
  const size = data.size()
  if (data.stretch(Math.min(roundUp(end, PAGE), size), true) >= size) return 0
  try {
    data.truncate(end)
  } catch (error) {
    // A device, or an image that has the data: its size is fixed.
    if (!isFixedSize(error)) throw error
    return 0
  }
  return size - end
}

/** The ends of a gap may share a page of the file with other storage, and pages are what holes are made of. */
function chunksStored({ data, geometry }: FvdState, start: number, count: number): number {
  const { chunkSize } = geometry
  const end = roundDown(start + count * chunkSize, PAGE)
  let stored = 0
  for (let at = roundUp(start, PAGE); at < end; ) {
    const from = data.stretch(at, true)
    if (from >= end) break
    const to = Math.min(data.stretch(from, false), end)
    const last = Math.floor((to - 1 - start) / chunkSize)
    stored += last + 1 - Math.floor((from - start) / chunkSize)
    at = Math.max(to, start + (last + 1) * chunkSize)
  }
  return stored
}

function forEachGap(gaps: Gaps, act: (first: number, count: number) => void): void {
  for (let i = 0; i < gaps.length; i += 2) act(gaps[i]!, gaps[i + 1]!)
}
