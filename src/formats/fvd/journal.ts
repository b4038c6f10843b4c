import { readU64, writeU64 } from '../../bytes.js'
import { DIRTY, ENTRY_LENGTH, ID_LIMIT, SECTOR } from './layout.js'

/**
 * The records of the journal. Each sector stands for itself, so that a sector that was written is a change that
 * happened, and one that was not is none:
 *
 *   TABLE   u32 magic, u32 first chunk, u32 n, then n u32 entries     12 + 4n bytes
 *   BITMAP  u32 magic, u32 sectors, i64 first sector                  16 bytes, always the last of its sector
 *   end     u32 0, when there is room
 *
 * A sector takes any number of TABLE records and then one BITMAP: chunks that a range of blocks lies in change with
 * the blocks. Replaying a record twice, or an older one again, changes nothing.
 */
export const TABLE_RECORD = 0xb4e6f7ac
export const BITMAP_RECORD = 0x3f2ab8ed

export const TABLE_HEADER = 12
export const BITMAP_LENGTH = 16

/** Puts records into sectors of a buffer, one after the other. Entries come in the order of their chunks. */
export class JournalWriter {
  /** Sectors begun. */
  count = 0
  private used = SECTOR
  /** Where the open TABLE record begins in its sector, and the chunk that would continue it. */
  private record = 0
  private nextChunk = -1

  constructor(private readonly view: DataView) {}

  clear(): void {
    this.count = 0
    this.used = SECTOR
    this.nextChunk = -1
  }

  /** Begins a sector, all zeros, whatever the current one holds. */
  open(): void {
    const at = this.count * SECTOR
    new Uint8Array(this.view.buffer, this.view.byteOffset + at, SECTOR).fill(0)
    this.count++
    this.used = 0
    this.nextChunk = -1
  }

  /** Bytes left in the sector. */
  get room(): number {
    return SECTOR - this.used
  }

  /** Bytes that the entry of this chunk takes, as the next one. */
  lengthOf(chunk: number): number {
    return chunk === this.nextChunk ? ENTRY_LENGTH : TABLE_HEADER + ENTRY_LENGTH
  }

  /** Adds an entry. Throws RangeError when it does not fit. */
  entry(chunk: number, id: number): void {
    if (this.room < this.lengthOf(chunk)) throw new RangeError(`${this.room} bytes are too few for an entry`)
    const sector = (this.count - 1) * SECTOR
    if (chunk !== this.nextChunk) {
      this.record = sector + this.used
      this.view.setUint32(this.record, TABLE_RECORD, true)
      this.view.setUint32(this.record + 4, chunk, true)
      this.used += TABLE_HEADER
    }
    this.view.setUint32(sector + this.used, id, true)
    this.view.setUint32(this.record + 8, this.view.getUint32(this.record + 8, true) + 1, true)
    this.used += ENTRY_LENGTH
    this.nextChunk = chunk + 1
  }

  /** The blocks of these guest sectors are in the image; ends the sector. Throws RangeError when it has no room. */
  blocks(firstSector: number, sectors: number): void {
    if (this.room < BITMAP_LENGTH) throw new RangeError(`${this.room} bytes are too few for a BITMAP record`)
    const at = (this.count - 1) * SECTOR + this.used
    this.view.setUint32(at, BITMAP_RECORD, true)
    this.view.setUint32(at + 4, sectors, true)
    writeU64(this.view, at + 8, firstSector)
    this.used = SECTOR
    this.nextChunk = -1
  }
}

/** Takes the records of a sector. */
export interface RecordVisitor {
  /** Chunk `chunk` has storage `id`. */
  entry(chunk: number, id: number): void
  /** The blocks of these guest sectors are in the image. */
  blocks(firstSector: number, sectors: number): void
  /** A record that no writer makes. */
  broken(what: string): void
}

/** An unknown word ends the sector, as does what cannot be a record. */
export function parseSector(view: DataView, start: number, visitor: RecordVisitor): void {
  const end = start + SECTOR
  for (let at = start; at + TABLE_HEADER <= end; ) {
    const magic = view.getUint32(at, true)
    if (magic === BITMAP_RECORD) {
      if (at + BITMAP_LENGTH > end) visitor.broken('a BITMAP record does not end in its sector')
      else visitor.blocks(readU64(view, at + 8), view.getUint32(at + 4, true))
      return
    }
    if (magic !== TABLE_RECORD) return
    const first = view.getUint32(at + 4, true)
    const count = view.getUint32(at + 8, true)
    at += TABLE_HEADER
    if (at + count * ENTRY_LENGTH > end) {
      visitor.broken(`a TABLE record of ${count} entries does not end in its sector`)
      return
    }
    for (let i = 0; i < count; i++, at += ENTRY_LENGTH) {
      const id = (view.getUint32(at, true) & ~DIRTY) >>> 0
      if (id >= ID_LIMIT) visitor.broken(`a TABLE record gives chunk ${first + i} no storage`)
      else visitor.entry(first + i, id)
    }
  }
}
