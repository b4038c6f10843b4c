import { HttpFile } from './http/http-file.js'
import type { FileDescription, StorageFile } from './storage-file.js'
import { SystemFile } from './system-file.js'

/** An open file in another thread than that which opened it, and which alone closes it. */
export function attachFile(description: FileDescription): StorageFile {
  const { remote, path } = description
  return remote === undefined ? new SystemFile(description) : new HttpFile(path, remote)
}
