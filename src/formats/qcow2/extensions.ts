import { roundUp } from '../../bytes.js'
import { IoBuffer } from '../../libc/io-buffer.js'
import type { StorageFile } from '../../storage/storage-file.js'
import { Extension, FEATURE_NAME_LENGTH } from './layout.js'

/** Where the header extensions lie in the file, bytes. */
export interface ExtensionArea {
  readonly start: number
  readonly end: number
}

/** Bytes of type and length; the area may stop where not even these fit. */
const PREFIX = 8
/** The kind of an entry in the feature name table. */
const INCOMPATIBLE = 0
/** Entries of a feature name table that are looked at: 128 would name all bits of two kinds. */
const MAX_NAMES = 256

/**
 * Walks the extensions one prefix at a time, so that no length in them decides what is allocated. False when one
 * does not fit the area or the file: then nothing behind it is known either.
 */
export function walkExtensions(
  file: StorageFile,
  { start, end }: ExtensionArea,
  visit: (type: number, offset: number, length: number) => void,
): boolean {
  const prefix = new IoBuffer(PREFIX)
  for (let at = start; at + PREFIX <= end; ) {
    if (file.read(prefix, 0, PREFIX, at) < PREFIX) return false
    const type = prefix.view.getUint32(0)
    const length = prefix.view.getUint32(4)
    if (type === Extension.end) return true
    at += PREFIX
    if (length > end - at) return false
    visit(type, at, length)
    at += roundUp(length, 8)
  }
  return true
}

/** What the image itself calls an incompatible feature, made printable; null when it does not say. Never throws for damage. */
export function featureName(file: StorageFile, area: ExtensionArea, bit: number): string | null {
  const entry = new IoBuffer(FEATURE_NAME_LENGTH)
  let name: string | null = null
  walkExtensions(file, area, (type, offset, length) => {
    if (type !== Extension.featureNames) return
    const count = Math.min(MAX_NAMES, Math.floor(length / FEATURE_NAME_LENGTH))
    for (let i = 0; i < count && name === null; i++) {
      const got = file.read(entry, 0, FEATURE_NAME_LENGTH, offset + i * FEATURE_NAME_LENGTH)
      if (got < FEATURE_NAME_LENGTH) return
      if (entry.bytes[0] === INCOMPATIBLE && entry.bytes[1] === bit) name = printable(entry.bytes.subarray(2))
    }
  })
  return name
}

function printable(bytes: Uint8Array): string | null {
  const end = bytes.indexOf(0)
  const text = Buffer.from(end < 0 ? bytes : bytes.subarray(0, end)).toString('latin1')
  return text.replaceAll(/[^ -~]/g, '?').trim() || null
}
