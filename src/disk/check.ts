import type { CheckReport, Repair } from '../formats/format.js'
import type { StorageHost } from '../storage/storage-file.js'
import { systemHost } from '../storage/system-host.js'
import { OpenGate } from './gate.js'
import { formatOfNamed } from './probe.js'

export interface CheckedImage {
  readonly format: string
  /** Null for a format that has no metadata to check. */
  readonly report: CheckReport | null
}

/**
 * Checks the metadata of one image (not of its backing files), and repairs what `repair` allows. Opens the file for
 * writing only to repair. Throws ImageError when the file cannot be opened as an image at all.
 */
export function checkImage(
  path: string,
  { format = null, repair = 'none', forceShare = false, host = systemHost }: CheckImageOptions = {},
): CheckedImage {
  if (forceShare && repair !== 'none') throw new TypeError('checkImage: forceShare is for reading only')
  const file = new OpenGate(host, 'deny', false).openNamed(path, repair !== 'none')
  try {
    if (!forceShare) host.lock(file)
    const chosen = formatOfNamed(file, format)
    return { format: chosen.name, report: chosen.check?.(file, repair) ?? null }
  } finally {
    file.close()
  }
}

export interface CheckImageOptions {
  format?: string | null
  repair?: Repair
  forceShare?: boolean
  host?: StorageHost
}
