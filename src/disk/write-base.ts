import { roundUp } from '../bytes.js'
import { ImageError } from '../errors.js'
import type { WriteBase } from '../formats/copy-settings.js'
import type { OpenedImage } from '../formats/format.js'
import { isUrl } from '../storage/http/url.js'
import type { Member } from './chain.js'
import type { CopyRequest } from './copying.js'

const SECTOR = 512

/** What the base is opened for, besides being read: to get what is written to the image, or what the image has. */
export type BaseUse = WriteBase | 'commit'

/** How writes to an image change its base, by what was asked for and what its header says. Throws ImageError INVALID. */
export function writeBaseOf(path: string, opened: OpenedImage, request: CopyRequest | null): WriteBase {
  if (request === null) return 'no'
  const own = opened.copySettings?.writeBase ?? 'no'
  const mode = request.writeBase === 'image' ? own : request.writeBase
  if (mode === 'no') return mode
  if (opened.backing === null) {
    throw new ImageError(
      'INVALID',
      `${path}: has no base that writes could go to, or needs it no more; leave out --write-base=${mode}`,
    )
  }
  if (isUrl(opened.backing.name)) {
    throw new ImageError(
      'INVALID',
      `${path}: its base lies on a web server, and can only be read (${mode}); say --write-base=no`,
    )
  }
  if (request.detach) {
    throw new ImageError(
      'INVALID',
      `${path}: --detach takes the base away, and writes are to go there (${mode}); drop --detach, or say --write-base=no`,
    )
  }
  return mode
}

/** A base that writes cannot go to is refused. */
export function mustTakeWrites({ file, format, opened }: Member, image: OpenedImage, use: BaseUse): void {
  const { size } = opened.driver
  const isCommit = use === 'commit'
  // A sector of which the base has a part could be torn by a crash. A commit makes the base longer first.
  const cutsSector = !isCommit && size < image.driver.size && size % SECTOR !== 0
  if (file.writable && format.create !== undefined && !cutsSector) return
  const what = isCommit ? 'nothing can be committed' : 'writes cannot go'
  const which = isCommit ? 'to this base' : `to this base (${use})`
  const instead = isCommit
    ? 'copy the disk to a new image instead, with "rawmount convert"'
    : 'say --write-base=no'
  const why = !file.writable
    ? `it is only read; ${instead}`
    : format.create === undefined
      ? `images of the format ${format.name} are only read; ${instead}`
      : `it ends within a sector; make it longer with "truncate -s ${roundUp(size, SECTOR)}", or ${instead}`
  throw new ImageError('INVALID', `${file.path}: ${what} ${which}, as ${why}`)
}

/**
 * Whether the base may lack what the image has. An image that was closed cleanly, and whose header has the mode, was
 * closed with the base up to date; of any other nobody knows.
 */
export function mayBeBehind(opened: OpenedImage, request: CopyRequest | null): boolean {
  return request?.writeBase !== 'image' || opened.info.dirty
}

/** For an image whose header asks for writes to the base, and which is written without them. */
export function writeBaseWarning(path: string, opened: OpenedImage, mode: WriteBase): string | null {
  const own = opened.copySettings?.writeBase ?? 'no'
  if (own === 'no' || mode !== 'no') return null
  return `${path}: its header wants writes to go to the base, too (write_updates_base_img=${own}), and what is written now does not; next time say --write-base=${own}, by which the base gets it`
}
