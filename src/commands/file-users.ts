import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs'
import { ImageError } from '../errors.js'

/**
 * What `act` throws of a file that is in use, with the processes that have it open, as far as one may see them: others'
 * are seen by root only. `paths`: the files that may be meant.
 */
export function namingUsers<T>(paths: readonly string[], act: () => T): T {
  try {
    return act()
  } catch (error) {
    if (!(error instanceof ImageError) || error.code !== 'IN_USE') throw error
    const path = paths.find(known => error.message.startsWith(`${known}: `))
    const users = path === undefined ? [] : usersOf(path)
    if (users.length === 0) throw error
    throw new ImageError('IN_USE', `${path}: is in use by ${users.join(', ')}; stop that first`, {
      errno: error.errno,
      cause: error,
    })
  }
}

/** In words. */
function usersOf(path: string): string[] {
  const real = realpathSync(path)
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name) && Number(name) !== process.pid && hasOpen(name, real))
    .map(pid => `process ${pid} (${commandOf(pid)})`)
}

function hasOpen(pid: string, real: string): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some(fd => target(`/proc/${pid}/fd/${fd}`) === real)
  } catch {
    return false // somebody else's, or it has ended
  }
}

function target(link: string): string {
  try {
    return readlinkSync(link)
  } catch {
    return ''
  }
}

/** The name of the program; of a script, that of the script. */
function commandOf(pid: string): string {
  try {
    const comm = readFileSync(`/proc/${pid}/comm`, 'utf8').trim()
    const [, script = ''] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
    return script.includes('rawmount') || script.endsWith('/daemon-main.js') ? 'rawmount' : comm
  } catch {
    return 'which has ended since'
  }
}
