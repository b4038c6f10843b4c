import { constants } from 'node:os'

/** What kind of thing went wrong; scripts and tests match on these, people read the message. */
export type ImageErrorCode =
  | 'FORMAT_UNKNOWN' // no magic fits, or an option names no format
  | 'FORMAT_UNSUPPORTED' // the format is known, this variant or feature of it is not
  | 'CORRUPT' // the file contradicts its format or itself
  | 'NOT_FOUND'
  | 'REFUSED' // policy: a device, a cycle, too deep a chain, a forbidden backing file
  | 'IN_USE' // another program holds the image
  | 'READ_ONLY'
  | 'INVALID' // an option or argument that cannot work
  | 'IO' // the system failed a call in the middle of work
  | 'MOUNT'

const DEFAULT_ERRNO: Record<ImageErrorCode, keyof typeof constants.errno> = {
  FORMAT_UNKNOWN: 'EINVAL',
  FORMAT_UNSUPPORTED: 'EOPNOTSUPP',
  CORRUPT: 'EIO',
  NOT_FOUND: 'ENOENT',
  REFUSED: 'EPERM',
  IN_USE: 'EBUSY',
  READ_ONLY: 'EROFS',
  INVALID: 'EINVAL',
  IO: 'EIO',
  MOUNT: 'EINVAL',
}

/**
 * The one error of rawmount. Its message names the file, what is wrong, and the next step, in one line;
 * `errno` (a positive number) is what a program on the mount gets.
 */
export class ImageError extends Error {
  override readonly name = 'ImageError'
  readonly errno: number

  constructor(
    readonly code: ImageErrorCode,
    message: string,
    options: { errno?: number; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.errno = options.errno ?? constants.errno[DEFAULT_ERRNO[code]]
  }
}

/** The errno to answer a request with, for whatever was thrown in it; EIO where nothing better is known. */
export function errnoOf(error: unknown): number {
  const errno = (error as { errno?: unknown } | null)?.errno
  return typeof errno === 'number' && errno !== 0 ? Math.abs(errno) : constants.errno.EIO
}
