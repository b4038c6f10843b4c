import { closeSync, constants, openSync, statSync } from 'node:fs'
import { ImageError } from '../../errors.js'
import { describeErrno } from '../../libc/errno.js'
import { hideCredentials } from '../../storage/http/url.js'
import { tell } from '../../trace.js'
import type { MountOptions } from '../options.js'
import type { RunningMount } from './daemon.js'
import { refuseOtherThanLog, refuseOwnFiles } from './log-check.js'

/**
 * The log of a mount (--log-file): what trace.ts writes, and here what is told of the mount from its begin to its end. The
 * file is opened for appending by who starts the daemon, so that a name that cannot work is refused at once, and logrotate's
 * copytruncate loses nothing but what was said in that moment. The daemon has it as its stderr: what Node.js itself says
 * in a crash is in it, too.
 */

/** A FIFO that nobody reads must not hang the mount: neither when it is opened, nor later when it is full. */
const FLAGS = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK

/** A descriptor. Throws ImageError INVALID, and REFUSED for what is something else than a log. */
export function openLog(path: string, options: MountOptions): number {
  refuseOwnFiles(path, options)
  const fd = open(path)
  try {
    refuseOtherThanLog(path, fd)
    return fd
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

function open(path: string): number {
  try {
    return openSync(path, FLAGS, 0o640)
  } catch (cause) {
    const { errno, code } = cause as NodeJS.ErrnoException
    const reason =
      code === 'ENXIO' && isFifo(path) ? 'nobody reads this FIFO' : describeErrno(Math.abs(errno!))
    throw new ImageError(
      'INVALID',
      `${path}: the log cannot be written (${reason}): choose another --log-file`,
      {
        cause,
      },
    )
  }
}

function isFifo(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFIFO() ?? false
}

/** Its begin, what the user must know, and its end. */
export function keepLog({ images }: MountOptions, mount: RunningMount): void {
  tell(`mounted ${images.map(hideCredentials).join(', ')} on ${mount.mountpoint}, process ${process.pid}`)
  for (const warning of mount.warnings) tell(`warning: ${warning}`)
  mount.finished.then(code => {
    tell(`unmounted ${mount.mountpoint}${code === 0 ? '' : '; something was lost, see above'}`)
  })
}
