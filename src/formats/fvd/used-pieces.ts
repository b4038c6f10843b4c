/** Bytes of a piece. */
const PIECE = 16 * 1024

const ZERO = Buffer.alloc(PIECE)

/**
 * The parts of a large memory that are not all zeros, as ranges of its words. An image of many terabytes has tens of
 * megabytes of table, nearly all of it empty: comparing memory is many times as fast as looking at each entry.
 */
export function* usedPieces(words: Uint32Array | Int32Array): Generator<{ start: number; end: number }> {
  const { buffer, byteOffset, byteLength } = words
  for (let at = 0; at < byteLength; at += PIECE) {
    const length = Math.min(PIECE, byteLength - at)
    if (ZERO.compare(new Uint8Array(buffer, byteOffset + at, length), 0, length, 0, length) === 0) continue
    yield { start: at / 4, end: (at + length) / 4 }
  }
}
