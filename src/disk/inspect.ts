import type { Format, InspectedImage } from '../formats/format.js'
import type { StorageFile, StorageHost } from '../storage/storage-file.js'
import { systemHost } from '../storage/system-host.js'
import { OpenGate } from './gate.js'
import { type ChainMember, describeImage } from './open.js'
import { formatOfNamed } from './probe.js'

export interface InspectOptions {
  format?: string | null
  forceShare?: boolean
  host?: StorageHost
}

/** The facts of one image, whether or not its backing file can be opened. Throws ImageError. */
export function inspectImage(
  path: string,
  { format = null, forceShare = false, host = systemHost }: InspectOptions = {},
): ChainMember {
  const file = new OpenGate(host, 'deny', false).openNamed(path, false)
  try {
    if (!forceShare) host.lock(file)
    const chosen = formatOfNamed(file, format)
    return describeImage(file, chosen.name, factsOf(file, chosen))
  } finally {
    file.close()
  }
}

/** What the header of an open file says. Throws as Format.open does. */
export function factsOf(file: StorageFile, format: Format): InspectedImage {
  return format.inspect?.(file) ?? openForFacts(file, format)
}

/** No guest data is looked up: the least that a driver takes will do. */
function openForFacts(file: StorageFile, format: Format): InspectedImage {
  const { driver, backing, info } = format.open(file, {
    writable: false,
    metadataCache: 1 << 20,
    allowStorageCommand: false,
    companion() {
      throw new TypeError(`${format.name} images have no data file`)
    },
  })
  return { size: driver.size, backing, info }
}
