import type { StorageHost } from '../storage/storage-file.js'
import { systemHost } from '../storage/system-host.js'
import { DEPTH_LIMIT, resolveBacking } from './gate.js'
import { inspectImage } from './inspect.js'

/**
 * The identities (see FileFacts) of the files that the image at `path` needs beside its own: its bases and data files, as
 * far as headers can be read; what is wrong with one is told when the image is opened. Takes no lock.
 */
export function chainBelow(path: string, format: string | null, host: StorageHost = systemHost): string[] {
  const found: string[] = []
  const follow = (name: unknown, from: string): string | null => {
    const file = typeof name === 'string' && name !== '' ? resolveBacking(name, from) : null
    const facts = file === null ? null : host.inspect(file)
    if (facts === null || facts.kind !== 'regular' || found.includes(facts.identity)) return null
    found.push(facts.identity)
    return file
  }
  try {
    for (let depth = 0, next: string | null = path; next !== null && depth < DEPTH_LIMIT; depth++) {
      const { backingName, backingFormat, info } = inspectImage(next, { format, forceShare: true, host })
      follow(info.specific.data_file, next)
      next = follow(backingName, next)
      format = backingFormat
    }
  } catch {
    // As far as they can be read.
  }
  return found
}
