import { readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ImageError } from '../errors.js'
import { SystemError } from '../libc/errno.js'
import { systemHost } from '../storage/system-host.js'
import { resolveBacking } from './gate.js'
import { inspectImage } from './inspect.js'

/**
 * Other images that name `base` as their backing file, as far as they lie beside it or beside `image`: what is written to the
 * base changes what they show. Paths, in the order of the directories' names. Reads the headers of all files there.
 */
export function otherOverlays(image: string, base: string): string[] {
  const known = [identityOf(image), identityOf(base)]
  const found = new Map<string, string>()
  for (const directory of new Set([dirname(base), dirname(image)])) {
    for (const path of filesIn(directory)) {
      const identity = identityOf(path)
      if (identity === null || known.includes(identity) || found.has(identity)) continue
      if (standsOn(path, known[1]!)) found.set(identity, path)
    }
  }
  return [...found.values()]
}

function filesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
      .sort()
      .map(name => join(directory, name))
  } catch {
    // A directory that may be searched but not listed tells nothing.
    return []
  }
}

/** Null for what is not a regular file, or is gone. */
function identityOf(path: string): string | null {
  try {
    const { kind, identity } = systemHost.inspect(path)
    return kind === 'other' ? null : identity
  } catch (error) {
    if (error instanceof SystemError) return null
    throw error
  }
}

function standsOn(path: string, base: string): boolean {
  try {
    const { backingName } = inspectImage(path, { forceShare: true })
    const named = backingName === null ? null : resolveBacking(backingName, path)
    return named !== null && identityOf(named) === base
  } catch (error) {
    // No image, a damaged one, or somebody else's.
    if (error instanceof ImageError || error instanceof SystemError) return false
    throw error
  }
}
