import type { StorageHost } from '../storage/storage-file.js'
import { systemHost } from '../storage/system-host.js'
import { OpenGate } from './gate.js'
import { type ChainMember, describeMember } from './open.js'
import { formatOfNamed } from './probe.js'

export interface InspectOptions {
  format?: string | null
  forceShare?: boolean
  host?: StorageHost
}

/** No guest data is looked up: the least that a driver takes will do. */
const METADATA_CACHE = 1 << 20

/** The facts of one image, whether or not its backing file can be opened. Throws ImageError. */
export function inspectImage(
  path: string,
  { format = null, forceShare = false, host = systemHost }: InspectOptions = {},
): ChainMember {
  const file = new OpenGate(host, 'deny', false).openNamed(path, false)
  try {
    if (!forceShare) host.lock(file)
    const chosen = formatOfNamed(file, format)
    const opened = chosen.open(file, { writable: false, metadataCache: METADATA_CACHE })
    return describeMember({ file, format: chosen, opened })
  } finally {
    file.close()
  }
}
