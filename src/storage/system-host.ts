import { constants, openSync, statSync, unlinkSync } from 'node:fs'
import { errno, SystemError } from '../libc/errno.js'
import { openUrl } from './http/http-file.js'
import { hideCredentials, identityOf, isUrl, parseUrl } from './http/url.js'
import { lockImage } from './image-lock.js'
import type { FileFacts, FileKind, StorageFile, StorageHost } from './storage-file.js'
import { SystemFile } from './system-file.js'

/** The files of this machine, and by http:// and https:// those of others. */
export const systemHost: StorageHost = {
  inspect(path: string): FileFacts {
    if (isUrl(path))
      return { kind: 'regular', description: 'a file on a web server', identity: identityOf(parseUrl(path)) }
    const stat = named('stat', path, () => statSync(path))
    const identity = stat.isBlockDevice() ? `device ${stat.rdev}` : `${stat.dev}:${stat.ino}`
    const [kind, description]: [FileKind, string] = stat.isFile()
      ? ['regular', 'a regular file']
      : stat.isBlockDevice()
        ? ['block', 'a block device']
        : stat.isDirectory()
          ? ['other', 'a directory']
          : stat.isFIFO()
            ? ['other', 'a FIFO']
            : stat.isSocket()
              ? ['other', 'a socket']
              : ['other', 'a character device']
    return { kind, description, identity }
  },

  open(path: string, writable: boolean): StorageFile {
    if (isUrl(path)) return openUrl(path, writable)
    // O_NONBLOCK: a FIFO that took the file's place since inspect() must not hang the open.
    const flags = (writable ? constants.O_RDWR : constants.O_RDONLY) | constants.O_NONBLOCK
    return new SystemFile({ path, writable, fd: named('open', path, () => openSync(path, flags)) })
  },

  create(path: string, overwrite: boolean): StorageFile {
    if (isUrl(path)) throw new SystemError(errno.EROFS, 'open', hideCredentials(path))
    const flags = constants.O_RDWR | constants.O_CREAT | (overwrite ? 0 : constants.O_EXCL)
    return new SystemFile({
      path,
      writable: true,
      fd: named('open', path, () => openSync(path, flags, 0o644)),
    })
  },

  remove(path: string): void {
    named('unlink', path, () => unlinkSync(path))
  },

  lock(file: StorageFile): void {
    const description = file.describe()
    // Web servers keep none; a change of the file is noticed when it is read.
    if (description.remote === undefined) lockImage(description)
  },
}

/** Node's error as a SystemError, which names the file the way the user did. */
function named<T>(syscall: string, path: string, call: () => T): T {
  try {
    return call()
  } catch (error) {
    const number = (error as NodeJS.ErrnoException).errno
    if (number === undefined) throw error
    throw new SystemError(-number, syscall, path)
  }
}
