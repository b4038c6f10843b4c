import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { errnoOf, ImageError } from '../errors.js'
import type { ProfileEntry } from '../formats/profile.js'

/**
 * A profile in a file of its own, for images that have no place for one, and for taking it to another image: text,
 * that of a first line with what it is, then a line for each range of the base, in the order in which they were read:
 *
 *     rawmount-profile 1
 *     1048576 65536
 *
 * offset and length in bytes.
 */
export const PROFILE_MAGIC = 'rawmount-profile '
const FIRST_LINE = `${PROFILE_MAGIC}1`
const LINE = /^(0|[1-9]\d{0,15}) ([1-9]\d{0,15})$/

const ENTRY_LIMIT = 2 ** 20
/** Bytes of a file that can have so many entries. */
export const PROFILE_FILE_LIMIT = FIRST_LINE.length + 1 + ENTRY_LIMIT * 34

const AGAIN = 'record it anew with --record-profile'

/** Where an image at `path` without a place for a profile has it. */
export function profileFileOf(path: string): string {
  return `${path}.profile`
}

/** The entries of such a file with this text. Throws ImageError CORRUPT or FORMAT_UNSUPPORTED. */
export function parseProfile(path: string, text: string): ProfileEntry[] {
  const lines = text.split('\n')
  if (lines[0] !== FIRST_LINE) {
    throw new ImageError(
      'FORMAT_UNSUPPORTED',
      `${path}: begins with ${quoted(lines[0]!)}, not with "${FIRST_LINE}"; ${AGAIN}`,
    )
  }
  if (lines.pop() !== '') throw new ImageError('CORRUPT', `${path}: is cut off in its last line; ${AGAIN}`)
  if (lines.length - 1 > ENTRY_LIMIT) {
    throw new ImageError('CORRUPT', `${path}: has more than ${ENTRY_LIMIT} entries; ${AGAIN}`)
  }
  return lines.slice(1).map((line, index) => {
    const [, offset, length] = LINE.exec(line) ?? []
    if (Number.isSafeInteger(Number(offset) + Number(length))) {
      return { offset: Number(offset), length: Number(length) }
    }
    throw new ImageError(
      'CORRUPT',
      `${path}: line ${index + 2} is ${quoted(line)}, not an offset and a length in bytes; ${AGAIN}`,
    )
  })
}

/**
 * Replaces the file, durably, or leaves the old one. Beyond what a file takes, entries are left out from the end.
 * Throws ImageError IO.
 */
export function writeProfileFile(path: string, entries: readonly ProfileEntry[]): void {
  const lines = entries.slice(0, ENTRY_LIMIT).map(({ offset, length }) => `${offset} ${length}\n`)
  const temporary = `${path}.${process.pid}.tmp`
  try {
    try {
      withFile(temporary, 'wx', fd => {
        writeFileSync(fd, `${FIRST_LINE}\n${lines.join('')}`)
        fsyncSync(fd)
      })
      renameSync(temporary, path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') rmSync(temporary, { force: true })
      throw error
    }
    withFile(dirname(path), 'r', fsyncSync)
  } catch (cause) {
    throw new ImageError(
      'IO',
      `${path}: the profile cannot be written: ${(cause as Error).message}; make room there, or take another directory`,
      { errno: errnoOf(cause), cause },
    )
  }
}

function withFile(path: string, flags: string, use: (fd: number) => void): void {
  const fd = openSync(path, flags, 0o644)
  try {
    use(fd)
  } finally {
    closeSync(fd)
  }
}

function quoted(line: string): string {
  return JSON.stringify(line.slice(0, 40))
}
