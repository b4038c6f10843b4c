import type { BackingReference, CheckReport, Format, Repair } from '../formats/format.js'
import { formatNames } from '../formats/registry.js'
import type { StorageFile, StorageHost } from '../storage/storage-file.js'
import { systemHost } from '../storage/system-host.js'
import { Chain } from './chain.js'
import type { Companion } from './companion.js'
import { OpenGate } from './gate.js'
import { formatOfNamed } from './probe.js'

export interface CheckedImage {
  readonly format: string
  /** Null for a format that has no metadata to check. */
  readonly report: CheckReport | null
}

/**
 * Checks the metadata of one image (not of its backing files), and repairs what `repair` allows. Opens the file, and
 * the one that has its data, for writing only to repair. Throws ImageError when the file cannot be opened as an image at
 * all.
 */
export function checkImage(
  path: string,
  {
    format = null,
    repair = 'none',
    forceShare = false,
    allowDevices = false,
    host = systemHost,
  }: CheckImageOptions = {},
): CheckedImage {
  if (forceShare && repair !== 'none') throw new TypeError('checkImage: forceShare is for reading only')
  const repairs = repair !== 'none'
  const gate = new OpenGate(host, 'follow', allowDevices)
  const context = { host, gate, forceShare, metadataCache: METADATA_CACHE, allowStorageCommand: false }
  const opened: { data: Companion | null } = { data: null }
  const companion = (reference: BackingReference): StorageFile => {
    const data = new Chain(context, repairs, 1).openCompanion(reference, path, repairs)
    opened.data = data
    if (repairs) data.beginWriting()
    return data.file
  }
  const file = gate.openNamed(path, repairs)
  try {
    if (!forceShare) host.lock(file)
    const chosen = formatOfNamed(file, format)
    const report = chosen.check?.(file, repair, { companion }) ?? null
    opened.data?.finish()
    return {
      format: chosen.name,
      report: report && { ...report, findings: [...report.findings, ...notes(file, chosen)] },
    }
  } finally {
    opened.data?.drop()
    file.close()
  }
}

/** What a format by itself cannot know. */
function notes(file: StorageFile, format: Format): string[] {
  const recorded = format.inspect?.(file).backing?.format ?? null
  if (recorded === null || formatNames().includes(recorded)) return []
  return [
    `note: the recorded format of the backing file, '${recorded}', is none of ${formatNames().join(', ')}`,
  ]
}

/** Bytes, for a data file that is an image. */
const METADATA_CACHE = 32 << 20

export interface CheckImageOptions {
  format?: string | null
  repair?: Repair
  forceShare?: boolean
  /** Lets the header lead to a block device that has the data. */
  allowDevices?: boolean
  host?: StorageHost
}
