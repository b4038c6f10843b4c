import { ImageError } from '../errors.js'
import { describeErrno, SystemError } from '../libc/errno.js'
import { hideCredentials, isUrl } from '../storage/http/url.js'
import type { StorageFile, StorageHost } from '../storage/storage-file.js'

/** Makes a file, or opens the one that is there. Throws ImageError. */
export function createFile(path: string, overwrite: boolean, host: StorageHost): StorageFile {
  if (isUrl(path))
    throw new ImageError('INVALID', `${hideCredentials(path)}: lies on a web server; name a file here`)
  try {
    return host.create(path, overwrite)
  } catch (error) {
    if (!(error instanceof SystemError)) throw error
    const options = { errno: error.errno, cause: error }
    if (error.code === 'EEXIST') {
      mustBeRegular(path, host)
      throw new ImageError(
        'REFUSED',
        `${path}: exists already; replace it with --force, or choose another name`,
        options,
      )
    }
    throw new ImageError(
      'IO',
      `${path}: cannot be created: ${describeErrno(error.errno)}; check the directory`,
      options,
    )
  }
}

/** What --force would not replace either. */
function mustBeRegular(path: string, host: StorageHost): void {
  let what = 'a symbolic link that leads nowhere'
  try {
    const { kind, description } = host.inspect(path)
    if (kind === 'regular') return
    what = description
  } catch (error) {
    if (!(error instanceof SystemError)) throw error
  }
  throw new ImageError('REFUSED', `${path}: is ${what}, and cannot be replaced; choose another name`)
}
