import { closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { chainBelow } from '../../disk/chain-below.js'
import { ImageError } from '../../errors.js'
import { PROBE_LENGTH } from '../../formats/format.js'
import { formatNames, probeOwnFormat } from '../../formats/registry.js'
import { hideCredentials, isUrl } from '../../storage/http/url.js'
import { systemHost } from '../../storage/system-host.js'
import type { ImageRequest } from '../image-request.js'
import type { OverlayRequest } from '../options.js'

export interface ImageChoice {
  /** One folder for each image, as many were asked for; else the one image is all there is. */
  readonly folders: boolean
  readonly images: readonly ImageRequest[]
  /** What the user must know, a line each. */
  readonly warnings: readonly string[]
}

interface Asked {
  readonly images: readonly string[]
  readonly format: string | null
  readonly readOnly: boolean
  /** Not null: the images are not written to, whatever is. */
  readonly overlay: OverlayRequest | null
}

/** What has the status, beside the folders of the images. */
const STATUS_FOLDER = '.rawmount'

const EXTENSIONS = formatNames().map(name => `.${name}`)

/**
 * The images that the paths on the command line mean, directories among them, and how each is opened. An image that
 * others of them stand on is only read: a write would change those, too. Throws ImageError.
 */
export function chooseImages({ images, format, readOnly, overlay }: Asked): ImageChoice {
  const [first] = images
  if (images.length === 1 && !isDirectory(first!)) {
    return {
      folders: false,
      images: [{ name: nameOf(first!), path: first!, format, readOnly }],
      warnings: [],
    }
  }
  const warnings: string[] = []
  const paths = namedAndContained(images, warnings)
  const found = paths.map(path => ({ name: nameOf(path), path, format: formatFor(path, format), readOnly }))
  refuseEqualNames(found, images)
  if (overlay !== null) refuseSharedOverlay(overlay)
  if (readOnly || overlay !== null) return { folders: true, images: found, warnings }
  const distinct = withoutTwins(found, warnings)
  const below = new Map<string, string>()
  for (const { path, format } of distinct)
    for (const file of chainBelow(path, format)) if (!below.has(file)) below.set(file, path)
  const chosen = distinct.map(image => {
    const above = below.get(identityOf(image.path) ?? '')
    if (above === undefined) return image
    warnings.push(`${image.path}: is shown read-only, as ${above} stands on it`)
    return { ...image, readOnly: true }
  })
  return { folders: true, images: chosen, warnings }
}

/** A directory that gives no image does not hinder the others; where there are none, its ImageError is thrown. */
function namedAndContained(named: readonly string[], warnings: string[]): string[] {
  const failures: ImageError[] = []
  const paths = named.flatMap(path => {
    if (!isDirectory(path)) return [path]
    try {
      return imagesIn(path)
    } catch (error) {
      if (!(error instanceof ImageError)) throw error
      failures.push(error)
      return []
    }
  })
  if (paths.length === 0) throw failures[0]!
  warnings.push(...failures.map(({ message }) => `left out: ${message}`))
  return paths
}

function refuseSharedOverlay({ path }: OverlayRequest): void {
  if (path === null || isDirectory(path)) return
  throw new ImageError(
    'INVALID',
    `${path}: one overlay cannot stand on several images; give --overlay a directory that is there, or temp`,
  )
}

/** By a link, one file may have several names; it can be written through one of them, the first. */
function withoutTwins(images: readonly ImageRequest[], warnings: string[]): ImageRequest[] {
  const known = new Map<string, string>()
  return images.filter(({ path }) => {
    const identity = identityOf(path)
    const twin = identity === null ? undefined : known.get(identity)
    if (twin !== undefined) warnings.push(`left out: ${path}: is the same file as ${twin}`)
    else if (identity !== null) known.set(identity, path)
    return twin === undefined
  })
}

/**
 * Of several images the name of one says whether it is raw: what is called .raw is, whatever a guest has written into it;
 * everything else has a magic, or is not opened.
 */
function formatFor(path: string, asked: string | null): string | null {
  return asked ?? (path.endsWith('.raw') ? 'raw' : null)
}

/**
 * The name of its file, without the ending that says what it is; with it, where the rest could not name a folder: "..raw"
 * would be the directory itself.
 */
export function nameOf(path: string): string {
  const file = isUrl(path) ? basename(new URL(path).pathname) : basename(path)
  const ending = EXTENSIONS.find(extension => file.endsWith(extension))
  const name = ending === undefined ? file : file.slice(0, -ending.length)
  return canNameFolder(name) ? name : file
}

function canNameFolder(name: string): boolean {
  return !['', '.', '..', STATUS_FOLDER].includes(name)
}

/** A link helps where images are named, not where they are found in a directory. */
function refuseEqualNames(images: readonly ImageRequest[], named: readonly string[]): void {
  const known = new Map<string, string>()
  for (const { name, path } of images) {
    const other = known.get(name)
    if (other !== undefined) {
      const step =
        named.includes(path) && named.includes(other)
          ? 'mount them apart, or give one of them another name with a link'
          : 'rename one of them, or name the images that you want instead of their directory'
      throw new ImageError(
        'INVALID',
        `${hideCredentials(path)}: would be shown as ${name}, as would ${hideCredentials(other)}; ${step}`,
      )
    }
    if (!canNameFolder(name))
      throw new ImageError(
        'INVALID',
        `${hideCredentials(path)}: has no name that a folder could have; make a link to it`,
      )
    known.set(name, path)
  }
}

/** The files of a directory that have the magic of an image, or the ending of one. */
function imagesIn(directory: string): string[] {
  const paths = namesIn(directory)
    .sort()
    .map(name => join(directory, name))
    .filter(path => isRegular(path) && looksLikeImage(path))
  if (paths.length > 0) return paths
  throw new ImageError(
    'NOT_FOUND',
    `${directory}: a directory without images: none of its files is called ${EXTENSIONS.join(', ')}, or has the magic of one`,
  )
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new ImageError('IO', `${directory}: cannot be listed (${code}); name the images in it`, { cause })
  }
}

function looksLikeImage(path: string): boolean {
  return EXTENSIONS.some(extension => path.endsWith(extension)) || hasMagic(path)
}

function hasMagic(path: string): boolean {
  let fd: number
  try {
    fd = openSync(path, 'r')
  } catch {
    return false // may not be read: by its name it is none
  }
  try {
    const head = Buffer.alloc(PROBE_LENGTH)
    return probeOwnFormat(head.subarray(0, readSync(fd, head, 0, head.length, 0))) !== null
  } finally {
    closeSync(fd)
  }
}

/** Null for what the open will refuse. */
function identityOf(path: string): string | null {
  try {
    return systemHost.inspect(path).identity
  } catch {
    return null
  }
}

function isDirectory(path: string): boolean {
  return !isUrl(path) && (stat(path)?.isDirectory() ?? false)
}

function isRegular(path: string): boolean {
  return stat(path)?.isFile() ?? false
}

/** What is missing or may not be looked at is told by the open, in its words. */
function stat(path: string) {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch {
    return undefined
  }
}
