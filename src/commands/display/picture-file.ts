import {
  closeSync,
  constants,
  openSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { errnoOf, ImageError } from '../../errors.js'
import { describeErrno } from '../../libc/errno.js'
import { print } from './output.js'

/** What a picture of ours begins with; what else is there is not overwritten. */
export const SVG_START = '<svg '
export const HTML_START = '<!doctype html>'

/**
 * Writes a picture to a file, all of it or nothing; '-' is stdout. A picture that is there is replaced, anything else is
 * refused: a slip of the fingers must not cost a disk image. Throws ImageError.
 */
export async function writePicture(path: string, text: string): Promise<void> {
  if (path === '-') return print(text)
  try {
    replace(path, text)
  } catch (cause) {
    if (cause instanceof ImageError) throw cause
    throw new ImageError(
      'IO',
      `${path}: cannot be written: ${describeErrno(errnoOf(cause))}; check its directory`,
      { errno: errnoOf(cause), cause },
    )
  }
}

function replace(path: string, text: string): void {
  const there = statSync(path, { throwIfNoEntry: false })
  if (there !== undefined && (there.isCharacterDevice() || there.isFIFO() || there.isSocket())) {
    writeFileSync(path, text)
    return
  }
  // Behind a link, the link stays.
  const target = there === undefined ? path : realpathSync(path)
  if (there !== undefined && !(there.isFile() && isPicture(target, there.size))) {
    throw new ImageError('REFUSED', `${path}: exists and is no picture: remove it, or choose another name`)
  }
  const temporary = `${target}.${process.pid}.tmp`
  try {
    writeFileSync(temporary, text, { flag: 'wx' })
    renameSync(temporary, target)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') rmSync(temporary, { force: true })
    throw error
  }
}

function isPicture(path: string, size: number): boolean {
  if (size === 0) return true
  const fd = openSync(path, constants.O_RDONLY)
  try {
    const head = Buffer.alloc(HTML_START.length)
    const start = head.toString('latin1', 0, readSync(fd, head, 0, head.length, 0))
    return start.startsWith(SVG_START) || start === HTML_START
  } finally {
    closeSync(fd)
  }
}
