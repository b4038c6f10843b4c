import { nextBit, runOfBits } from './bits.js'
import type { Findings } from './check-findings.js'
import type { FvdState } from './state.js'
import { NO_STORAGE } from './survey.js'

/** Returns how many blocks are in the image. */
export function checkBitmap(state: FvdState, findings: Findings): number {
  const { bitmap, geometry } = state
  const { baseSize, blockSize, blocks } = geometry
  let present = 0
  let bytes = 0
  for (let first = nextBit(bitmap, 0); first >= 0 && first < blocks; ) {
    const end = first + runOfBits(bitmap, first, blocks)
    present += end - first
    if (geometry.compact)
      bytes += bytesWithoutStorage(state, first * blockSize, Math.min(end * blockSize, baseSize))
    first = nextBit(bitmap, end)
  }
  if (bytes > 0) {
    findings.note(
      `${bytes} bytes are in the image by the bitmap, and have no chunk: they read as zeros, as zeroed and discarded ones do`,
    )
  }
  const padding = nextBit(bitmap, blocks)
  if (blocks > 0 && padding >= 0)
    findings.note(`bit ${padding} of the bitmap is set, behind the ${blocks} blocks`)
  return present
}

function bytesWithoutStorage({ geometry, table }: FvdState, start: number, end: number): number {
  const { chunkSize } = geometry
  let bytes = 0
  for (let at = start; at < end; ) {
    const chunk = Math.floor(at / chunkSize)
    const stop = Math.min((chunk + 1) * chunkSize, end)
    if (table[chunk] === NO_STORAGE) bytes += stop - at
    at = stop
  }
  return bytes
}
