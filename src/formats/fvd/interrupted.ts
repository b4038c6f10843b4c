import { ImageError } from '../../errors.js'
import type { FvdHeader } from './header.js'

/**
 * What stood in the place of a name while it changed, before such a change was one step: it names no file, so a power cut
 * in the middle left an image that does not open.
 */
export const INTERRUPTED = 'interrupted-update:'

/** Throws ImageError REFUSED where a name is missing, with the command that gives one. */
export function mustHaveNames(path: string, { base, dataFile }: FvdHeader): void {
  if (base?.name === INTERRUPTED) {
    throw cutOff(path, 'base', `rawmount rebase -u -b NAME -F FORMAT ${path}`)
  }
  if (dataFile?.name === INTERRUPTED) {
    throw cutOff(path, 'data file', `rawmount update ${path} data_file=NAME data_file_fmt=FORMAT`)
  }
}

function cutOff(path: string, what: string, command: string): ImageError {
  return new ImageError(
    'REFUSED',
    `${path}: the program that was to name another ${what} was stopped in the middle, and the header names neither the old one nor the new one; name the ${what} that has its data with "${command}"`,
  )
}
