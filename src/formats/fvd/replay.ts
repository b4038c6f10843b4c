import { IoBuffer } from '../../libc/io-buffer.js'
import type { StorageFile } from '../../storage/storage-file.js'
import { hasBit, runOfBits } from './bits.js'
import type { Geometry } from './geometry.js'
import { parseSector, type RecordVisitor } from './journal.js'
import { SECTOR } from './layout.js'

/** What recovery changes: the memory that bitmap and table were read to. */
export interface Metadata {
  readonly geometry: Geometry
  /** Entries as survey.ts has them. */
  readonly table: Uint32Array
  readonly bitmap: Int32Array
}

/** What is done with a record that says what bitmap or table do not. */
export interface ReplayTarget {
  setEntry(chunk: number, entry: number): void
  setBlocks(first: number, end: number): void
}

/** Faults beyond this many are not listed. */
const FAULT_LIMIT = 100

/**
 * Takes every record of the journal area, from its first sector to its last: those of earlier sessions too, which say
 * nothing that later ones do not. Returns what is wrong with records; those are left out. Writes nothing to the file.
 */
export function replay(file: StorageFile, metadata: Metadata, target: ReplayTarget): string[] {
  const { geometry } = metadata
  const visitor = new Replay(metadata, target)
  const buffer = new IoBuffer(Math.min(geometry.journalSectors, PIECE_SECTORS) * SECTOR)
  const start = geometry.shape.journalOffset
  const end = start + geometry.journalSectors * SECTOR
  for (let at = start; at < end; ) {
    // A journal that was never written, or wiped, is a hole.
    const data = Math.floor(file.stretch(at, true) / SECTOR) * SECTOR
    if (data > at) {
      at = data
      continue
    }
    const got = file.read(buffer, 0, Math.min(buffer.length, end - at), at)
    for (let within = 0; within + SECTOR <= got; within += SECTOR) {
      visitor.sector = (at - start + within) / SECTOR
      parseSector(buffer.view, within, visitor)
    }
    if (got < SECTOR) break
    at += got
  }
  return visitor.faults
}

const PIECE_SECTORS = 256

class Replay implements RecordVisitor {
  readonly faults: string[] = []
  sector = 0

  constructor(
    private readonly metadata: Metadata,
    private readonly target: ReplayTarget,
  ) {}

  entry(chunk: number, id: number): void {
    const { geometry, table } = this.metadata
    if (chunk >= geometry.chunks) {
      this.broken(`a TABLE record names chunk ${chunk}, and the disk has ${geometry.chunks}`)
    } else if (table[chunk] !== id + 1) {
      this.target.setEntry(chunk, id + 1)
    }
  }

  blocks(firstSector: number, sectors: number): void {
    const { geometry, bitmap } = this.metadata
    const start = firstSector * SECTOR
    const end = start + sectors * SECTOR
    if (!(end <= geometry.size)) {
      this.broken(`a BITMAP record names sectors ${firstSector}+${sectors}, behind the disk's end`)
      return
    }
    const stop = Math.min(end, geometry.baseSize)
    if (stop <= start) return
    const first = Math.floor(start / geometry.blockSize)
    const last = Math.ceil(stop / geometry.blockSize)
    if (!isAllSet(bitmap, first, last)) this.target.setBlocks(first, last)
  }

  broken(what: string): void {
    if (this.faults.length < FAULT_LIMIT) this.faults.push(`journal sector ${this.sector}: ${what}`)
  }
}

function isAllSet(bitmap: Int32Array, first: number, end: number): boolean {
  return hasBit(bitmap, first) && runOfBits(bitmap, first, end) === end - first
}
