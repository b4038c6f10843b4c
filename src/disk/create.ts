import { roundUp } from '../bytes.js'
import { ImageError } from '../errors.js'
import type { BackingReference } from '../formats/format.js'
import { formatByName } from '../formats/registry.js'
import { describeErrno, SystemError } from '../libc/errno.js'
import type { StorageFile, StorageHost } from '../storage/storage-file.js'
import { systemHost } from '../storage/system-host.js'
import { resolveBacking } from './gate.js'
import { openImage } from './open.js'

export interface CreateImageOptions {
  format: string
  /** Virtual size in bytes; null: that of the backing file. */
  size: number | null
  /** The backing file as it will stand in the header; a null format is left to be probed at each open. */
  backing?: BackingReference | null
  /** Options of the format; see Format.createOptions. */
  options?: ReadonlyMap<string, string>
  /** Replaces an existing file; default: refused. */
  overwrite?: boolean
  /** The backing file is not opened, and may be missing; needs a size. */
  unsafeBacking?: boolean
  host?: StorageHost
}

/**
 * Writes an empty image. Returns its virtual size in bytes. When it fails, a file it made is gone again; an existing
 * one is as it was, unless the writing itself failed. Throws ImageError.
 */
export function createImage(path: string, settings: CreateImageOptions): number {
  const {
    backing = null,
    options = new Map<string, string>(),
    overwrite = false,
    host = systemHost,
  } = settings
  const format = formatByName(settings.format)
  for (const key of options.keys()) {
    if (key in format.createOptions) continue
    const known = Object.keys(format.createOptions).join(', ') || 'none'
    throw new ImageError(
      'INVALID',
      `${path}: format '${format.name}' has no option '${key}'; it has ${known}`,
    )
  }
  const baseSize = backing === null || settings.unsafeBacking ? null : sizeOfBacking(path, backing, host)
  const asked = settings.size ?? baseSize
  if (asked === null)
    throw new ImageError('INVALID', `${path}: a size is needed, as there is no backing file to take it from`)

  // A disk has whole sectors; a raw base need not, and shows zeros in the rest of its last one.
  const size = format.name === 'raw' ? asked : roundUp(asked, 512)
  const existed = overwrite && exists(path, host)
  const file = create(path, overwrite, host)
  try {
    host.lock(file)
    format.create(file, { size, backing, options })
    file.sync()
  } catch (error) {
    if (!existed) host.remove(path)
    throw error
  } finally {
    file.close()
  }
  return size
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

function create(path: string, overwrite: boolean, host: StorageHost): StorageFile {
  try {
    return host.create(path, overwrite)
  } catch (error) {
    if (!(error instanceof SystemError)) throw error
    const options = { errno: error.errno, cause: error }
    if (error.code === 'EEXIST') {
      throw new ImageError(
        'REFUSED',
        `${path}: exists already; replace it with --force, or choose another name`,
        options,
      )
    }
    throw new ImageError(
      'IO',
      `${path}: cannot be created: ${describeErrno(error.errno)}; check the directory`,
      options,
    )
  }
}

/** Opens the backing file with its chain, as the new image will, and returns its size. */
function sizeOfBacking(path: string, backing: BackingReference, host: StorageHost): number {
  const resolved = resolveBacking(backing.name, path)
  if (resolved === null) {
    throw new ImageError('REFUSED', `${path}: backing file '${backing.name}' is not the name of a file`)
  }
  const base = openImage(resolved, { format: backing.format, host })
  const { size } = base.disk
  base.close()
  return size
}
