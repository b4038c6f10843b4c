import { ImageError } from '../errors.js'
import { errno } from '../libc/errno.js'

/** What Node.js says where there is no descriptor left for a file, or for a thread. */
const EXHAUSTED = /^(?:Worker initialization failure: )?(EMFILE|ENFILE)\b/

/**
 * What a failure to open `path`, or to start a thread, is called when the process, or the machine, has no descriptor left;
 * else null. Its errno is EMFILE, for both.
 */
export function outOfDescriptors(path: string, cause: unknown): ImageError | null {
  const code = EXHAUSTED.exec((cause as Error).message)?.[1]
  if (code === undefined) return null
  return new ImageError(
    'MOUNT',
    `${path}: too many files are open (${code}): raise the limit ('ulimit -n'), or mount fewer images at once`,
    { cause, errno: errno.EMFILE },
  )
}
