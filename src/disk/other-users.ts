import { readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ImageError } from '../errors.js'
import { SystemError } from '../libc/errno.js'
import type { StorageHost } from '../storage/storage-file.js'
import { systemHost } from '../storage/system-host.js'
import { namedPaths, OpenGate } from './gate.js'
import { factsOf } from './inspect.js'
import { formatOfNamed } from './probe.js'

/** An image to which one of the files belongs that were asked about. */
export interface FileUser {
  readonly image: string
  readonly file: string
  readonly as: 'base' | 'data file'
}

/**
 * Other images than `image` and `owner` that name one of `files` as their backing file or data file, as far as they lie
 * beside it or beside `image`: what is written there changes what they show. In the order of the directories' names. Reads
 * the headers of all files there.
 */
export function otherUsers(
  image: string,
  files: readonly string[],
  { owner = image, host = systemHost }: { owner?: string; host?: StorageHost } = {},
): FileUser[] {
  const known = [identityOf(image, host), identityOf(owner, host)]
  const wanted = new Map(files.map(file => [identityOf(file, host), file]))
  wanted.delete(null)
  const found = new Map<string, FileUser>()
  for (const directory of new Set([...files, image].map(path => dirname(path)))) {
    for (const path of filesIn(directory)) {
      const identity = identityOf(path, host)
      if (identity === null || known.includes(identity) || found.has(identity)) continue
      const user = usedBy(path, wanted, host)
      if (user !== null) found.set(identity, user)
    }
  }
  return [...found.values()]
}

/** Where the file lies that has the data of an image, as far as its header can be read; null: in its own. */
export function dataFileOf(path: string, host = systemHost): string | null {
  const data = namesIn(path, host)?.data ?? null
  return data === null ? null : (namedPaths(data, path)[0] ?? null)
}

function filesIn(directory: string): string[] {
  // The disks of the machine are no neighbours: a look at one may take long.
  if (directory === '/dev') return []
  try {
    return readdirSync(directory)
      .sort()
      .map(name => join(directory, name))
  } catch {
    // A directory that may be searched but not listed tells nothing.
    return []
  }
}

/** Null for what can be no image, or is gone. */
function identityOf(path: string, host: StorageHost): string | null {
  try {
    const { kind, identity } = host.inspect(path)
    return kind === 'other' ? null : identity
  } catch (error) {
    if (error instanceof SystemError) return null
    throw error
  }
}

function usedBy(
  image: string,
  wanted: ReadonlyMap<string | null, string>,
  host: StorageHost,
): FileUser | null {
  const names = namesIn(image, host)
  if (names === null) return null
  const { backing, data } = names
  for (const [name, as] of [[backing, 'base'] as const, [data, 'data file'] as const]) {
    if (name === null) continue
    for (const path of namedPaths(name, image)) {
      const file = wanted.get(identityOf(path, host))
      if (file !== undefined) return { image, file, as }
    }
  }
  return null
}

/** What the header of an image names. */
function namesIn(path: string, host: StorageHost): { backing: string | null; data: string | null } | null {
  try {
    const file = new OpenGate(host, 'deny', false).openNamed(path, false)
    try {
      const format = formatOfNamed(file, null)
      return format.names?.(file) ?? { backing: factsOf(file, format).backing?.name ?? null, data: null }
    } finally {
      file.close()
    }
  } catch (error) {
    // No image, a damaged one, or somebody else's.
    if (error instanceof ImageError || error instanceof SystemError) return null
    throw error
  }
}
