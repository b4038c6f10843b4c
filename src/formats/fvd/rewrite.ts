import type { StorageFile } from '../../storage/storage-file.js'
import { sectorsOf, switchHeader, writeChanges } from './header-switch.js'
import type { FieldName, RawHeader } from './layout.js'

/**
 * The header changes sector by sector, and a power cut may come between any two. Numbers can stand that: each is
 * right by itself, those that depend on each other lie in one sector. A file name with the format to open it as
 * cannot: they span sectors, and half of each is the name of another file, or a disk opened as what it is not. So
 * such a group changes in one step (header-switch.ts), one group after the other, and then all the rest.
 */
const GROUPS: readonly (readonly FieldName[])[] = [
  ['base_img', 'base_img_fmt'],
  ['data_file', 'data_file_fmt'],
  ['add_storage_cmd'],
]

/** Brings the changes to the file, durably, in writes of its sectors that differ. Throws as switchHeader() does. */
export function rewriteHeader(file: StorageFile, changes: Partial<RawHeader>): void {
  for (const names of GROUPS) {
    const group = Object.fromEntries(names.filter(name => name in changes).map(name => [name, changes[name]]))
    if (sectorsOf(file, group).length > 1) switchHeader(file, group)
  }
  writeChanges(file, changes)
}
