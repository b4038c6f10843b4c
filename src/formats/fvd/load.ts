import { ImageError } from '../../errors.js'
import { IoBuffer } from '../../libc/io-buffer.js'
import type { StorageFile } from '../../storage/storage-file.js'
import type { Geometry } from './geometry.js'
import { DIRTY, EMPTY, ENTRY_LENGTH, ID_LIMIT } from './layout.js'
import { INVALID, NO_STORAGE } from './survey.js'

/** Bytes that are read at a time. Pieces of an empty area are not copied, so that its memory stays untouched. */
const PIECE = 256 * 1024

const ALL_EMPTY = Buffer.alloc(PIECE, 0xff)
const ALL_ZERO = Buffer.alloc(PIECE)

/** Reads the table to memory that is all zeros. Throws ImageError CORRUPT when the file has a hole for it. */
export function loadTable(file: StorageFile, geometry: Geometry, table: Uint32Array): void {
  const { tableOffset } = geometry.shape
  const length = geometry.chunks * ENTRY_LENGTH
  // Each entry in a hole would name storage 0: memory for gigabytes of them would be taken by a lie of the header.
  const hole = file.stretch(tableOffset, false) - tableOffset
  if (length - hole >= 2 * ENTRY_LENGTH) {
    throw new ImageError(
      'CORRUPT',
      `${file.path}: the file has a hole in the table, which has no zeros anywhere; take a good copy of the image`,
    )
  }
  inPieces(file, tableOffset, length, (buffer, at, count) => {
    if (startsWith(buffer, count, ALL_EMPTY)) return
    for (let i = 0; i < count; i += ENTRY_LENGTH) {
      table[(at + i) / ENTRY_LENGTH] = decodeEntry(buffer.view.getUint32(i, true))
    }
  })
}

/** Reads the bitmap to memory that is all zeros. */
export function loadBitmap(file: StorageFile, geometry: Geometry, bitmap: Int32Array): void {
  const bytes = new Uint8Array(bitmap.buffer)
  const length = Math.ceil(geometry.blocks / 8)
  inPieces(file, geometry.shape.bitmapOffset, length, (buffer, at, count) => {
    if (!startsWith(buffer, count, ALL_ZERO)) bytes.set(buffer.bytes.subarray(0, count), at)
  })
}

/** An entry as the file has it, in the form of survey.ts. */
export function decodeEntry(value: number): number {
  if (value === EMPTY) return NO_STORAGE
  const id = (value & ~DIRTY) >>> 0
  return id < ID_LIMIT ? id + 1 : INVALID
}

function inPieces(
  file: StorageFile,
  offset: number,
  length: number,
  take: (buffer: IoBuffer, at: number, count: number) => void,
): void {
  const buffer = new IoBuffer(PIECE)
  for (let at = 0; at < length; at += PIECE) {
    const count = Math.min(PIECE, length - at)
    if (file.read(buffer, 0, count, offset + at) < count) {
      throw new ImageError(
        'CORRUPT',
        `${file.path}: the file ends at ${offset + at}, within its metadata; take a good copy of the image`,
      )
    }
    take(buffer, at, count)
  }
}

function startsWith(buffer: IoBuffer, count: number, pattern: Buffer): boolean {
  return pattern.compare(buffer.bytes, 0, count, 0, count) === 0
}
