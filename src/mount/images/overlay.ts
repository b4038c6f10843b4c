import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
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

/** Temporary overlays can become as large as their images: not in /tmp, which may be memory. */
const TEMPORARY = '/var/tmp'

/**
 * The overlay of an image: made on top of it when there is none yet, else the one that is there, which must have been made
 * on top of just this image. `policy` holds for what the image leads to; the overlay leads to it because the user said so.
 * Throws ImageError.
 */
export function overlayOf(
  image: ImageRequest,
  { path, format }: OverlayRequest,
  policy: BackingPolicy,
): Overlay {
  if (path === null) return temporaryOverlay(image, policy)
  const file = isDirectory(path) ? join(path, `${image.name}.${format ?? 'qed'}`) : path
  if (existsSync(file)) {
    mustStandOn(file, image)
    return { path: file, opened: () => {}, failed: () => {} }
  }
  make(file, format ?? (file.endsWith('.fvd') ? 'fvd' : 'qed'), image, policy)
  return { path: file, opened: () => {}, failed: () => rmSync(file, { force: true }) }
}

function temporaryOverlay(image: ImageRequest, policy: BackingPolicy): Overlay {
  const directory = temporaryDirectory()
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

function temporaryDirectory(): string {
  const parent = process.env.TMPDIR || TEMPORARY
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

function mustStandOn(overlay: string, image: ImageRequest): void {
  if (identity(overlay) === identity(image.path)) {
    throw new ImageError(
      'INVALID',
      `${overlay}: is the image itself, not an overlay on top of it; name a file that does not exist yet`,
    )
  }
  const { backingName } = inspectImage(overlay, { forceShare: true })
  const base = backingName === null ? null : resolveBacking(backingName, overlay)
  if (base !== null && identity(base) === identity(image.path)) return
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

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}
