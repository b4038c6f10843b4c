import { IoBuffer } from '../../libc/io-buffer.js'
import type { StorageFile } from '../../storage/storage-file.js'
import { ENTRY_LENGTH, SECTOR } from './layout.js'

/** Bytes of a table that are in memory at a time; tables are up to 1 GiB. */
const PIECE = 256 * 1024

/** Looks at the entry at byte `at` of `view`, which is not zero; true when it changed it in there. */
export type EntryVisitor = (view: DataView, at: number, index: number) => boolean

/** Walks tables piece by piece, over holes without reading them, and writes back the sectors that a visitor changed. */
export class TableWalk {
  private readonly buffer = new IoBuffer(PIECE)

  constructor(
    private readonly file: StorageFile,
    private readonly length: number,
  ) {}

  walk(offset: number, visit: EntryVisitor): void {
    const end = offset + this.length
    for (let at = offset; at < end; ) {
      const data = this.file.stretch(at, true)
      // Pieces stay aligned to sectors, whatever the file system's holes are aligned to.
      at += Math.floor((Math.min(data, end) - at) / SECTOR) * SECTOR
      if (at >= end) return
      const length = Math.min(PIECE, end - at)
      this.visitPiece(at, length, (at - offset) / ENTRY_LENGTH, visit)
      at += length
    }
  }

  private visitPiece(offset: number, length: number, firstIndex: number, visit: EntryVisitor): void {
    const { buffer, file } = this
    const { view } = buffer
    const got = file.read(buffer, 0, length, offset)
    if (got < length) buffer.bytes.fill(0, got, length)
    for (let sector = 0; sector < length; sector += SECTOR) {
      let isChanged = false
      for (let at = sector; at < sector + SECTOR; at += ENTRY_LENGTH) {
        if (view.getUint32(at, true) === 0 && view.getUint32(at + 4, true) === 0) continue
        if (visit(view, at, firstIndex + at / ENTRY_LENGTH)) isChanged = true
      }
      if (isChanged) file.write(buffer, sector, SECTOR, offset + sector)
    }
  }
}
