import { lstatSync } from 'node:fs'
import { ImageError } from '../errors.js'
import { SystemError } from '../libc/errno.js'
import type { FileFacts, StorageFile } from '../storage/storage-file.js'
import { systemHost } from '../storage/system-host.js'

/**
 * The file that stands where a new one is to be. What is no regular file is never replaced; `forBlock`: what to do with a
 * block device instead. With `overwrite` returns it locked: nobody may be using it. Null when there is none.
 */
export function lockOld(path: string, overwrite: boolean, forBlock = OTHER_NAME): StorageFile | null {
  const facts = lookUp(path)
  if (facts === null) return null
  const { kind, description } = facts
  if (kind !== 'regular') {
    const next = kind === 'block' ? forBlock : OTHER_NAME
    throw new ImageError('REFUSED', `${path}: is ${description}, and cannot be replaced; ${next}`)
  }
  if (!overwrite) return null
  const file = systemHost.open(path, true)
  try {
    systemHost.lock(file)
    return file
  } catch (error) {
    file.close()
    throw error
  }
}

const OTHER_NAME = 'choose another name'

/** Null when there is nothing. Throws for a link that leads nowhere. */
export function lookUp(path: string): FileFacts | null {
  try {
    return systemHost.inspect(path)
  } catch (error) {
    if (!(error instanceof SystemError)) throw error
    const isDangling = error.code === 'ENOENT' && lstatSync(path, { throwIfNoEntry: false }) !== undefined
    if (error.code === 'ENOENT' && !isDangling) return null
    if (isDangling || error.code === 'ELOOP')
      throw new ImageError('REFUSED', `${path}: is a symbolic link that leads nowhere; choose another name`)
    throw error
  }
}
