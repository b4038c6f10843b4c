import { existsSync } from 'node:fs'
import type { OpenImage } from '../disk/open.js'
import { ProfileRecorder } from '../disk/profile-recorder.js'
import { ImageError } from '../errors.js'
import type { ProfileEntry } from '../formats/profile.js'
import { profileFileOf, writeProfileFile } from './profile-file.js'
import { loadProfile } from './profile-source.js'

/** What is to be fetched first, and what the user must know of it. */
export interface ChosenProfile {
  readonly entries: readonly ProfileEntry[]
  readonly warnings: readonly string[]
}

/**
 * The profile that the plan of an open image asks for. One that the user asked for must be there; with one that only
 * the image's header asks for, an image opens whatever is wrong with it. Throws ImageError.
 */
export function chooseProfile(image: OpenImage): ChosenProfile {
  const { request, settings } = image.copying!
  if (settings.profileDelay === null) return { entries: [], warnings: [] }
  const { covered } = image.disk.describe().copying!
  const { prefetchProfile } = request
  if (typeof prefetchProfile === 'object') {
    return { entries: loadProfile(prefetchProfile.path, covered), warnings: [] }
  }
  try {
    return { entries: ownProfile(image, covered), warnings: [] }
  } catch (error) {
    if (prefetchProfile === 'on' || !(error instanceof ImageError)) throw error
    return { entries: [], warnings: [error.message] }
  }
}

/** In the image, or in the file beside it. */
function ownProfile(image: OpenImage, covered: number): readonly ProfileEntry[] {
  const entries = image.profile?.read() ?? []
  if (entries.length > 0) return entries
  const { path } = image.chain[0]!
  const beside = profileFileOf(path)
  if (existsSync(beside)) return loadProfile(beside, covered)
  throw new ImageError(
    'NOT_FOUND',
    `${path}: no profile was recorded; do that once with --record-profile, or name one with --prefetch-profile FILE`,
  )
}

/** Keeps what was recorded since the open, if anything was: in the image where it has room, else beside it. */
export function keepProfile(image: OpenImage): void {
  const recorder = image.disk.describe().copying?.recorder ?? null
  const entries = recorder === null ? [] : new ProfileRecorder(recorder).entries()
  if (entries.length === 0) return
  const { profile } = image
  if (profile !== null && profile.capacity > 0) profile.write(entries)
  else writeProfileFile(profileFileOf(image.chain[0]!.path), entries)
}
