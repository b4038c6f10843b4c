import { roundUp } from '../bytes.js'
import { ImageError } from '../errors.js'
import type { BackingReference, Format } from '../formats/format.js'
import { formatByName, formatNames } from '../formats/registry.js'
import { SystemError } from '../libc/errno.js'
import type { StorageFile, StorageHost } from '../storage/storage-file.js'
import { systemHost } from '../storage/system-host.js'
import { DiskContents } from './base-contents.js'
import { Chain } from './chain.js'
import { createFile } from './create-file.js'
import { type BackingPolicy, DEPTH_LIMIT, OpenGate } from './gate.js'
import { NewDataFile } from './new-data-file.js'
import { formatOfNamed } from './probe.js'

export interface CreateImageOptions {
  format: string
  /** Virtual size in bytes; null: that of the backing file. */
  size: number | null
  /** The backing file as it will stand in the header; a null format is left to be probed at each open. */
  backing?: BackingReference | null
  /** Options of the format; see Format.createOptions. */
  options?: ReadonlyMap<string, string>
  /** Replaces an existing file, and what a data file has in it; default: refused. */
  overwrite?: boolean
  /** Which names in the headers behind the backing file are followed; default: all. */
  backingPolicy?: BackingPolicy
  /** The backing file is not opened, and may be missing; needs a size. */
  unsafeBacking?: boolean
  host?: StorageHost
}

/**
 * Writes an empty image. Returns its virtual size in bytes. When it fails, the files it made are gone again; an existing
 * one is as it was, unless the writing itself failed. Throws ImageError.
 */
export function createImage(path: string, settings: CreateImageOptions): number {
  const {
    backing = null,
    options = new Map<string, string>(),
    overwrite = false,
    backingPolicy = 'follow',
    host = systemHost,
  } = settings
  const format = creatable(path, settings.format, options)
  if (backing !== null && format.name === 'raw')
    throw new ImageError('INVALID', `${path}: a raw image cannot have a backing file; use -f qed`)
  const existed = overwrite && exists(path, host)
  createFile(path, overwrite, host).close()
  // What the user names may be a device; the names in the headers behind it cannot do more than be looked at.
  const gate = new OpenGate(host, backingPolicy, true, path)
  const context = { host, gate, forceShare: false, metadataCache: METADATA_CACHE, allowStorageCommand: false }
  const base = new Chain(context, false, 1)
  const data = new NewDataFile(path, context, overwrite)
  let file: StorageFile | null = null
  let made = false
  try {
    file = gate.openNamed(path, true)
    host.lock(file)
    if (backing !== null && !settings.unsafeBacking) openBase(path, backing, gate, base)
    const contents = base.members.length === 0 ? null : new DiskContents(base.disk(false))
    const size = sizeFor(path, format, settings.size ?? contents?.size ?? null)
    format.create!(file, { size, backing, options, base: contents, companion: data.open })
    file.sync()
    made = true
    return size
  } finally {
    file?.close()
    base.drop()
    if (!made && !existed) host.remove(path)
    data.close(made)
  }
}

/** Bytes, for backing and data files: they are hardly looked into. */
const METADATA_CACHE = 4 << 20

export function creatable(path: string, name: string, options: ReadonlyMap<string, string>): Format {
  const format = formatByName(name)
  if (format.create === undefined) {
    throw new ImageError(
      'INVALID',
      `${path}: images of the format ${name} are only read; choose ${creatableNames().join(' or ')}`,
    )
  }
  for (const key of options.keys()) {
    if (Object.hasOwn(format.createOptions, key)) continue
    const known = Object.keys(format.createOptions).join(', ') || 'none'
    throw new ImageError(
      'INVALID',
      `${path}: format '${format.name}' has no option '${key}'; it has ${known}`,
    )
  }
  return format
}

function creatableNames(): string[] {
  return formatNames().filter(name => formatByName(name).create !== undefined)
}

function exists(path: string, host: StorageHost): boolean {
  try {
    const { kind, description } = host.inspect(path)
    if (kind === 'regular') return true
    throw new ImageError(
      'REFUSED',
      `${path}: is ${description}, and will not be overwritten; choose another name`,
    )
  } catch (error) {
    if (error instanceof SystemError && error.code === 'ENOENT') return false
    throw error
  }
}

/** The backing file with its chain, as the new image will open it; but raw must be said, and not be a guess. */
function openBase(path: string, { name, format }: BackingReference, gate: OpenGate, chain: Chain): void {
  const { file } = gate.openBacking(name, path, DEPTH_LIMIT - 1)
  chain.open(file, () => formatOfNamed(file, format))
}

export function sizeFor(path: string, format: Format, asked: number | null): number {
  if (asked === null)
    throw new ImageError('INVALID', `${path}: a size is needed, as there is no backing file to take it from`)
  // A disk has whole sectors; a raw base need not, and shows zeros in the rest of its last one.
  return format.name === 'raw' ? asked : roundUp(asked, 512)
}
