/**
 * Contents that say where they come from. Each aligned 8-byte word of a disk holds, from its first byte on:
 *
 *   sector number (32 bits, little endian) | version (24 bits) | word in the sector (6 bits) + origin (2 bits)
 *
 * so that any sector that is read back can be named: whose it is, how old, from which image of the chain. A
 * version is at least 1, so that no pattern looks like zeros. The bytes depend on their place only: a write of any
 * alignment can be cut out of the pattern.
 */
export const SECTOR = 512

/** Where a pattern was written: by the guest, or into a base before it became one (1 to 3, counted downwards). */
export type Origin = 0 | 1 | 2 | 3

/** Fills `into` with what stands at `offset` of a disk that is all pattern. */
export function fillPattern(into: Uint8Array, offset: number, version: number, origin: Origin): void {
  const view = new DataView(into.buffer, into.byteOffset, into.byteLength)
  for (let done = 0; done < into.length; ) {
    const at = offset + done
    const sector = Math.floor(at / SECTOR) >>> 0
    const rest = ((version & 0xffffff) | (((at % SECTOR) >>> 3) << 24) | (origin << 30)) >>> 0
    if (at % 8 === 0 && done + 8 <= into.length) {
      view.setUint32(done, sector, true)
      view.setUint32(done + 4, rest, true)
      done += 8
    } else {
      const byte = at % 8
      into[done++] = byte < 4 ? sector >>> (byte * 8) : rest >>> ((byte - 4) * 8)
    }
  }
}

export function pattern(offset: number, length: number, version: number, origin: Origin): Uint8Array {
  const bytes = new Uint8Array(length)
  fillPattern(bytes, offset, version, origin)
  return bytes
}

/** In words, what the aligned 8 bytes at `offset` of a disk are: the text of a failure. */
export function describeWord(word: Uint8Array, offset: number): string {
  if (word.every(byte => byte === 0)) return 'zeros'
  const view = new DataView(word.buffer, word.byteOffset, word.byteLength)
  if (word.length < 8) return `bytes ${Buffer.from(word).toString('hex')}`
  const sector = view.getUint32(0, true)
  const version = view.getUint32(4, true) & 0xffffff
  const place = word[7] & 63
  const origin = word[7] >> 6
  const here = sector === Math.floor(offset / SECTOR) && place === (offset % SECTOR) >>> 3
  const whose = origin === 0 ? `write ${version}` : `base ${origin}, version ${version}`
  if (here) return whose
  // A mixture of two writes within a word names neither; its bytes are then the best description.
  return `bytes ${Buffer.from(word).toString('hex')} (as a pattern: ${whose} of sector ${sector}, word ${place})`
}
