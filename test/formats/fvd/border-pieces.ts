import type { GoldenImage } from '../../support/golden.js'

export interface Piece {
  readonly offset: number
  readonly length: number
}

/**
 * Pieces of a disk that lie across what its format divides it by: the first, a middle and the last border of blocks
 * and of chunks, the end of the base, both ends of the disk. They overlap sectors and blocks in part; one takes
 * several blocks and chunks as a whole.
 */
export function borderPieces({ header, virtual_size: size }: GoldenImage): Piece[] {
  const [block, chunk, base] = ['block_size', 'chunk_size', 'base_img_size'].map(key => Number(header[key]))
  const units = [block!, chunk!].filter(unit => unit > 0)
  // First what no base has: it gets the storage that a crash left over, and the rest of its chunk must show none of it.
  const borders = [size, base!, 0]
  for (const unit of units) {
    borders.push(unit, Math.floor(size / 2 / unit) * unit, Math.floor((size - 1) / unit) * unit)
  }
  const pieces = [...new Set(borders)].map(border => within(size, border - 1000, border + 1500))
  const largest = Math.max(4096, ...units)
  return [...pieces, within(size, largest + 100, largest * 3 + 700)].filter(({ length }) => length > 0)
}

function within(size: number, start: number, end: number): Piece {
  const offset = Math.max(0, start)
  return { offset, length: Math.min(size, end) - offset }
}
