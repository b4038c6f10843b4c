import { constants, openSync, statSync, unlinkSync } from 'node:fs'
import { SystemError } from '../libc/errno.js'
import { lockImage } from './image-lock.js'
import type { FileFacts, FileKind, StorageFile, StorageHost } from './storage-file.js'
import { SystemFile } from './system-file.js'

/** The files of this machine. */
export const systemHost: StorageHost = {
  inspect(path: string): FileFacts {
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
    // O_NONBLOCK: a FIFO that took the file's place since inspect() must not hang the open.
    const flags = (writable ? constants.O_RDWR : constants.O_RDONLY) | constants.O_NONBLOCK
    return new SystemFile({ path, writable, fd: named('open', path, () => openSync(path, flags)) })
  },

  create(path: string, overwrite: boolean): StorageFile {
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
    lockImage(file.describe())
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
