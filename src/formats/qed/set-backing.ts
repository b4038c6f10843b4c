import { ImageError } from '../../errors.js'
import { IoBuffer } from '../../libc/io-buffer.js'
import type { StorageFile } from '../../storage/storage-file.js'
import type { NewBacking } from '../format.js'
import { checkBackingName } from './create.js'
import { readHeader, writeWithoutBacking } from './header.js'
import {
  BACKING_FEATURES,
  BACKING_FILE,
  BACKING_FORMAT_NO_PROBE,
  BACKING_NAME_AT,
  FEATURES_AT,
  HEADER_LENGTH,
} from './layout.js'

/**
 * The header's fields lie in one sector, but the name that they point to does not:
 *
 *   1. the new name is written where the old one is not; barrier
 *   2. place and length of the name, and the bits that go with it, are written in one sector; barrier
 *
 * so that a cut leaves the old name or the new one.
 *
 * @see Format.setBacking
 */
export function setBacking(file: StorageFile, backing: NewBacking | null): void {
  const at = placeOf(file, backing)
  if (backing === null) {
    writeWithoutBacking(file, new IoBuffer(HEADER_LENGTH))
    file.sync()
    return
  }
  const name = new TextEncoder().encode(backing.name)
  const text = new IoBuffer(name.length)
  text.bytes.set(name)
  file.write(text, 0, text.length, at)
  file.sync()
  const fields = readFields(file)
  const { view } = fields
  view.setUint32(FEATURES_AT, withBacking(view.getUint32(FEATURES_AT, true), backing.format), true)
  view.setUint32(BACKING_NAME_AT, at, true)
  view.setUint32(BACKING_NAME_AT + 4, name.length, true)
  file.write(fields, 0, HEADER_LENGTH, 0)
  file.sync()
}

/** @see Format.checkBacking */
export function checkBacking(file: StorageFile, backing: NewBacking | null): void {
  placeOf(file, backing)
}

/** Where the name will lie in the header's clusters, clear of the old one; 0 for none. */
function placeOf(file: StorageFile, backing: NewBacking | null): number {
  const header = readHeader(file)
  if (header.unknownCompat) {
    throw new ImageError(
      'FORMAT_UNSUPPORTED',
      `${file.path}: the header has compatible features that are unknown here, so the name of its backing file is not changed; use the program that made it`,
    )
  }
  if (backing === null) return 0
  const name = new TextEncoder().encode(backing.name)
  checkBackingName(file, name)
  const old = header.backing === null ? { at: 0, length: 0 } : oldNameOf(file)
  const isBefore = HEADER_LENGTH + name.length <= old.at
  const at = isBefore ? HEADER_LENGTH : Math.max(HEADER_LENGTH, old.at + old.length)
  if (at + name.length <= header.headerSize * header.clusterSize) return at
  throw new ImageError(
    'INVALID',
    `${file.path}: the header has no room for a name of ${name.length} bytes beside the old one; take a shorter path`,
  )
}

function oldNameOf(file: StorageFile): { at: number; length: number } {
  const { view } = readFields(file)
  return {
    at: view.getUint32(BACKING_NAME_AT, true),
    length: view.getUint32(BACKING_NAME_AT + 4, true),
  }
}

function readFields(file: StorageFile): IoBuffer {
  const fields = new IoBuffer(HEADER_LENGTH)
  file.read(fields, 0, HEADER_LENGTH, 0)
  return fields
}

function withBacking(features: number, format: string | null): number {
  const bits = format === 'raw' ? BACKING_FILE | BACKING_FORMAT_NO_PROBE : BACKING_FILE
  return ((features & ~BACKING_FEATURES) | bits) >>> 0
}
