import { spawn } from 'node:child_process'
import { closeSync } from 'node:fs'
import { ImageError, type ImageErrorCode } from '../../errors.js'
import type { MountOptions } from '../options.js'
import { openLog } from './log-file.js'

/** What the daemon answers, once. */
export type LaunchReply =
  | { readonly mounted: true; readonly warnings: readonly string[] }
  | {
      readonly mounted: false
      readonly code: ImageErrorCode
      readonly message: string
      readonly errno: number
    }

export interface LaunchedDaemon {
  readonly pid: number
  /** What the user must know of the images, a line each. */
  readonly warnings: readonly string[]
}

/**
 * Mounts from a process of its own that outlives this one. Resolves when the mount answers; rejects with the
 * daemon's ImageError, and then no daemon and no mount is left. Neither is when `interrupted` resolves before the mount
 * answers: the outcome is null then.
 */
export async function launchDaemon(
  options: MountOptions,
  interrupted: Promise<unknown>,
): Promise<LaunchedDaemon | null> {
  const log = options.logFile === null ? null : openLog(options.logFile, options)
  const program = new URL('./daemon-main.js', import.meta.url).pathname
  const child = spawn(process.execPath, [program], {
    cwd: '/',
    detached: true,
    stdio: ['ignore', 'ignore', log ?? 'ignore', 'ipc'],
  })
  if (log !== null) closeSync(log)
  const reply = await new Promise<LaunchReply | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('message', message => resolve(message as LaunchReply))
    child.once('exit', (code, signal) => reject(diedEarly(options, code, signal)))
    child.send(options)
    interrupted.then(() => {
      child.removeAllListeners('message').removeAllListeners('exit')
      child.once('exit', () => resolve(null))
      child.kill('SIGTERM')
    })
  })
  if (reply === null) return null
  if (!reply.mounted) {
    await new Promise(resolve => child.once('exit', resolve))
    throw new ImageError(reply.code, reply.message, { errno: reply.errno })
  }
  child.removeAllListeners('exit')
  child.disconnect()
  child.unref()
  return { pid: child.pid!, warnings: reply.warnings }
}

function diedEarly(options: MountOptions, code: number | null, signal: string | null): ImageError {
  const how = signal === null ? `with code ${code}` : `by ${signal}`
  return new ImageError(
    'MOUNT',
    `${options.mountpoint}: the daemon ended ${how} before the mount answered; mount with -f to see why`,
  )
}
