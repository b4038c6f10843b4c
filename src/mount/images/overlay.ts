import { existsSync, mkdtempSync, readlinkSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { createImage } from '../../disk/create.js'
import { type BackingPolicy, resolveBacking } from '../../disk/gate.js'
import { inspectImage } from '../../disk/inspect.js'
import { ImageError } from '../../errors.js'
import { hideCredentials, isUrl } from '../../storage/http/url.js'
import { systemHost } from '../../storage/system-host.js'
import type { ImageRequest } from '../image-request.js'
import type { OverlayRequest } from '../options.js'

export interface Overlay {
  /** What is to be opened instead of the image. */
  readonly path: string
  /** Called when it is open: of a temporary one nothing is seen any more from then on. */
  readonly opened: () => void
  /** Called when it cannot be opened, the image being in use say: what was made goes away again. */
  readonly failed: () => void
}

const OVERLAY_FORMATS = ['fvd', 'qed'] as const

/**
 * The overlay of an image: made on top of it when there is none yet, else the one that is there, which must have been made
 * on top of just this image. `policy` holds for what the image leads to; the overlay leads to it because the user said so.
 * Throws ImageError.
 */
export function overlayOf(
  image: ImageRequest,
  { path, format, temporary }: OverlayRequest,
  policy: BackingPolicy,
): Overlay {
  if (path === null) return temporaryOverlay(image, temporary, policy)
  const file = isDirectory(path) ? fileIn(path, image, format) : path
  if (exists(file)) {
    mustStandOn(file, image, format)
    return { path: file, opened: () => {}, failed: () => {} }
  }
  make(file, format ?? (file.endsWith('.fvd') ? 'fvd' : 'qed'), image, policy)
  return { path: file, opened: () => {}, failed: () => rmSync(file, { force: true }) }
}

/** The one that is there, whatever its format: another beside it would begin without what is in it. */
function fileIn(directory: string, image: ImageRequest, format: string | null): string {
  const there = OVERLAY_FORMATS.map(ending => join(directory, `${image.name}.${ending}`)).filter(
    file => exists(file) && identity(file) !== identity(image.path),
  )
  if (there.length > 1) {
    throw new ImageError(
      'INVALID',
      `${there[0]}: could be the overlay, and so could ${there[1]}; name one of them with --overlay, or move the other away`,
    )
  }
  return there[0] ?? join(directory, `${image.name}.${format ?? 'qed'}`)
}

function temporaryOverlay(image: ImageRequest, parent: string, policy: BackingPolicy): Overlay {
  const directory = temporaryDirectory(parent)
  const remove = () => rmSync(directory, { recursive: true, force: true })
  const path = join(directory, 'overlay.qed')
  try {
    make(path, 'qed', image, policy)
  } catch (error) {
    remove()
    throw error
  }
  return { path, opened: remove, failed: remove }
}

function temporaryDirectory(parent: string): string {
  try {
    return mkdtempSync(join(parent, 'rawmount-overlay-'))
  } catch (cause) {
    throw new ImageError(
      'IO',
      `${parent}: takes no temporary overlay (${(cause as NodeJS.ErrnoException).code}); name another directory with TMPDIR, or give --overlay a file`,
      { cause },
    )
  }
}

function make(path: string, format: string, image: ImageRequest, policy: BackingPolicy): void {
  createImage(path, {
    format,
    size: null,
    backing: { name: image.path, format: formatOf(image) },
    backingPolicy: policy,
  })
}

/** Noted in the overlay, so that nothing that is written later decides how the image is opened. */
function formatOf({ path, format }: ImageRequest): string {
  return format ?? inspectImage(path, { forceShare: true }).format
}

function mustStandOn(overlay: string, image: ImageRequest, asked: string | null): void {
  if (identity(overlay) === identity(image.path)) {
    throw new ImageError(
      'INVALID',
      `${overlay}: is the image itself, not an overlay on top of it; name a file that does not exist yet`,
    )
  }
  const { backingName, format } = inspectImage(overlay, { forceShare: true })
  const base = backingName === null ? null : resolveBacking(backingName, overlay)
  if (base !== null && identity(base) === identity(image.path)) {
    if (asked === null || asked === format) return
    throw new ImageError(
      'INVALID',
      `${overlay}: is an overlay in the format ${format}, and --overlay-format asks for ${asked}; leave that out, or name a file that does not exist yet`,
    )
  }
  const has = backingName === null ? 'has no backing file' : `is on top of ${hideCredentials(backingName)}`
  throw new ImageError(
    'INVALID',
    `${overlay}: ${has}, not of ${hideCredentials(image.path)}; name a file that does not exist yet, or mount the overlay itself`,
  )
}

function identity(path: string): string {
  if (isUrl(path)) return path
  try {
    return systemHost.inspect(path).identity
  } catch {
    return path // it is missing, and the open will say so
  }
}

/** A link that leads nowhere would be in the way of what is made. */
function exists(path: string): boolean {
  if (existsSync(path)) return true
  if (!isLink(path)) return false
  throw new ImageError('NOT_FOUND', `${path}: is a link that leads nowhere; remove it, or name another file`)
}

function isLink(path: string): boolean {
  try {
    readlinkSync(path)
    return true
  } catch {
    return false
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}
