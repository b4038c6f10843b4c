import { ImageError } from '../errors.js'
import { type Format, type HeaderField, PROBE_LENGTH, type UpdatableHeader } from '../formats/format.js'
import { PatchedFile } from '../storage/patched-file.js'
import type { StorageFile, StorageHost } from '../storage/storage-file.js'
import { systemHost } from '../storage/system-host.js'
import { Chain } from './chain.js'
import { OpenGate } from './gate.js'
import { mustBeFree } from './new-data-file.js'
import { formatOfNamed } from './probe.js'

export interface UpdateImageOptions {
  format?: string | null
  /** Files that the header names afterwards need not exist, nor fit. */
  unchecked?: boolean
  /** Lets the names lead to block devices. */
  allowDevices?: boolean
  host?: StorageHost
}

/** A field whose value is another now. */
export interface ChangedField {
  readonly name: string
  readonly before: number | string
  readonly after: number | string
}

/**
 * Changes fields of an image's header, all of them or none: values as the user writes them, by the names of the format.
 * Where the new header leads to other files, they must open as those of a mount would, and be long enough. Returns what
 * changed, in the order of the header. Throws ImageError, and then has changed nothing, unless a write failed.
 */
export function updateImage(
  path: string,
  changes: ReadonlyMap<string, string>,
  { format = null, unchecked = false, allowDevices = false, host = systemHost }: UpdateImageOptions = {},
): ChangedField[] {
  const gate = new OpenGate(host, 'follow', allowDevices)
  const file = gate.openNamed(path, true)
  try {
    host.lock(file)
    const updater = updaterOf(file, format)
    const before = updater.updatable(file)
    const trial = new PatchedFile(file, TRIAL_LENGTH)
    updater.update(trial, changes)
    const leads = before.fields.some(({ name, leads }) => leads && changes.has(name))
    if (leads && !unchecked) mustOpen(trial, updater, { host, gate }, dataName(updater, file))
    updater.update(file, changes)
    return differences(before, updater.updatable(file))
  } finally {
    file.close()
  }
}

/** What updateImage() can change. */
export function updatableFields(
  path: string,
  { format = null, host = systemHost }: UpdateImageOptions = {},
): readonly HeaderField[] {
  const file = new OpenGate(host, 'deny', false).openNamed(path, false)
  try {
    host.lock(file)
    return updaterOf(file, format).updatable(file).fields
  } finally {
    file.close()
  }
}

/** No header is longer. */
const TRIAL_LENGTH = 2 * PROBE_LENGTH

/** Bytes, for images that are only tried. */
const METADATA_CACHE = 4 << 20

type Updater = Format & Required<Pick<Format, 'update' | 'updatable'>>

function updaterOf(file: StorageFile, asked: string | null): Updater {
  const format = formatOfNamed(file, asked)
  if (format.update !== undefined && format.updatable !== undefined) return format as Updater
  throw new ImageError(
    'INVALID',
    `${file.path}: the format ${format.name} has no fields to change; "rawmount info" shows what there is`,
  )
}

function dataName(format: Format, file: StorageFile): string | null {
  return format.names?.(file).data ?? null
}

/** Opens the image as it will be, with its files, for reading. `data`: the data file that it has had. */
function mustOpen(
  trial: PatchedFile,
  format: Updater,
  { host, gate }: { host: StorageHost; gate: OpenGate },
  data: string | null,
): void {
  const chain = new Chain(
    // The image is locked already; its bases may be in use by others.
    { host, gate, forceShare: true, metadataCache: METADATA_CACHE, allowStorageCommand: false },
    false,
  )
  try {
    chain.open(trial, () => format)
    mustFit(chain, format.updatable(trial))
    const file = chain.members[0]!.companion?.file
    if (file !== undefined && dataName(format, trial) !== data) mustBeFree(trial.path, file.path, host)
  } catch (error) {
    if (error instanceof ImageError) throw withAdvice(error, trial.path)
    throw error
  } finally {
    chain.drop()
  }
}

function mustFit(chain: Chain, { backingSize, dataSize }: UpdatableHeader): void {
  const [image, backing] = chain.members
  const { path } = image!.file
  const found = backing?.opened.driver.size ?? 0
  if (backing !== undefined && found < backingSize) {
    throw new ImageError(
      'INVALID',
      `${path}: ${backing.file.path} has ${found} bytes, and the image was made on ${backingSize}; name its own base`,
    )
  }
  const data = image!.companion?.file
  if (data !== undefined && data.size() > 0 && data.size() < dataSize) {
    throw new ImageError(
      'INVALID',
      `${path}: the data file ${data.path} has ${data.size()} bytes, less than the disk's ${dataSize}; name its own data file`,
    )
  }
  const [warning] = image!.opened.warnings ?? []
  if (data !== undefined && warning !== undefined) throw new ImageError('INVALID', warning)
}

function withAdvice(error: ImageError, path: string): ImageError {
  const { code, errno, message } = error
  const who = message.includes(path) ? '' : `${path}: `
  return new ImageError(code, `${who}${message} (or say --unchecked, and look yourself)`, {
    errno,
    cause: error,
  })
}

function differences({ fields }: UpdatableHeader, after: UpdatableHeader): ChangedField[] {
  const changed: ChangedField[] = []
  for (const { name, value } of after.fields) {
    const before = fields.find(field => field.name === name)!.value
    if (before !== value) changed.push({ name, before, after: value })
  }
  return changed
}
