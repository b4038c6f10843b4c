import { closeSync, readSync } from 'node:fs'
import { dup2 } from './files.js'
import { declare } from './library.js'
import { fcntl } from './locks.js'

/** @see man 2 memfd_create */
const memfdCreate = declare('int memfd_create(const char *name, unsigned int flags)')
const MFD_CLOEXEC = 1
const F_DUPFD_CLOEXEC = 1030

const STDERR = 2

/**
 * Keeps what is written to stderr from now on, by libraries and by programs that are started, too. Call what this returns
 * to end that: it returns what was written. Nothing is kept, and stderr stays as it is, where descriptors are short.
 */
export function catchStderr(): () => string {
  const file = memfdCreate('stderr', MFD_CLOEXEC)
  const stderr = fcntl(STDERR, F_DUPFD_CLOEXEC, 3)
  const close = () => {
    for (const fd of [file, stderr]) if (fd >= 0) closeSync(fd)
  }
  if (file < 0 || stderr < 0 || dup2(file, STDERR) < 0) {
    close()
    return () => ''
  }
  return () => {
    dup2(stderr, STDERR)
    const text = Buffer.alloc(LIMIT)
    const length = readSync(file, text, 0, LIMIT, 0)
    close()
    return text.toString('utf8', 0, length)
  }
}

/** Bytes; more is not read. */
const LIMIT = 65_536
