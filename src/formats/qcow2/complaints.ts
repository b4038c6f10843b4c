import { ImageError } from '../../errors.js'
import type { StorageFile } from '../../storage/storage-file.js'

/** The header contradicts the format or its file. */
export function damaged(file: StorageFile, what: string): ImageError {
  return new ImageError(
    'CORRUPT',
    `${file.path}: ${what}; the qcow2 header is damaged, take a good copy of the image`,
  )
}

/** The header is sound, but this driver does not read what it announces; `program` makes something of it. */
export function unsupported(file: StorageFile, what: string, program: string): ImageError {
  return new ImageError('FORMAT_UNSUPPORTED', `${file.path}: the image ${what}; convert it with ${program}`)
}

/** A table entry, or what it leads to, cannot be. */
export function corruptAt(file: StorageFile, what: string, offset: number, cause?: unknown): ImageError {
  return new ImageError(
    'CORRUPT',
    `${file.path}: ${what} for guest offset ${offset}; run "qemu-img check" on the image, or take a good copy`,
    { cause },
  )
}
