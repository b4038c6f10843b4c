import { OpenGate } from '../disk/gate.js'
import { ImageError } from '../errors.js'
import { PROBE_LENGTH } from '../formats/format.js'
import type { ProfileEntry } from '../formats/profile.js'
import { probeFormat } from '../formats/registry.js'
import { IoBuffer } from '../libc/io-buffer.js'
import type { StorageFile, StorageHost } from '../storage/storage-file.js'
import { systemHost } from '../storage/system-host.js'
import { PROFILE_FILE_LIMIT, PROFILE_MAGIC, parseProfile } from './profile-file.js'

/**
 * The profile that was recorded in the file at `path`: a profile file, or an image with a place for one, as its
 * contents say. `baseSize`: bytes of the base that it is for. Throws ImageError.
 */
export function loadProfile(
  path: string,
  baseSize: number = Number.MAX_SAFE_INTEGER,
  host: StorageHost = systemHost,
): readonly ProfileEntry[] {
  const file = new OpenGate(host, 'deny', false).openNamed(path, false)
  try {
    const head = readText(file, PROBE_LENGTH)
    const entries = head.startsWith(PROFILE_MAGIC) ? readProfileFile(file) : readImage(file, head, host)
    const beyond = entries.find(({ offset, length }) => offset + length > baseSize)
    if (beyond === undefined) return entries
    throw new ImageError(
      'INVALID',
      `${path}: the profile names ${beyond.length} bytes at ${beyond.offset}, and the base has ${baseSize}; it is of another base, record one of this`,
    )
  } finally {
    file.close()
  }
}

function readProfileFile(file: StorageFile): readonly ProfileEntry[] {
  const text = readText(file, Math.min(file.size(), PROFILE_FILE_LIMIT + 1))
  if (text.length <= PROFILE_FILE_LIMIT) return parseProfile(file.path, text)
  throw new ImageError(
    'CORRUPT',
    `${file.path}: is longer than a profile of ${PROFILE_FILE_LIMIT} bytes; record it anew with --record-profile`,
  )
}

function readImage(file: StorageFile, head: string, host: StorageHost): readonly ProfileEntry[] {
  const format = probeFormat(Buffer.from(head, 'latin1'), file.path)
  if (format === null) {
    throw new ImageError(
      'FORMAT_UNKNOWN',
      `${file.path}: is neither a profile nor an image with one; name a file that --record-profile wrote`,
    )
  }
  // Whoever writes the image may be writing the profile, too.
  host.lock(file)
  const entries = format.profile?.(file)?.read() ?? []
  if (entries.length > 0) return entries
  throw new ImageError(
    'NOT_FOUND',
    `${file.path}: the image has no profile recorded in it; record one with --record-profile, or name the profile file beside it`,
  )
}

/** A character for each byte. */
function readText(file: StorageFile, length: number): string {
  const buffer = new IoBuffer(length)
  const count = file.read(buffer, 0, length, 0)
  return Buffer.from(buffer.bytes.subarray(0, count)).toString('latin1')
}
