import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/**
 * The process that serves the FUSE connection of this number, found without asking the mount: the kernel notes the
 * connection beside each descriptor of /dev/fuse. Null on a kernel that does not (before Linux 6.16), and for processes of
 * others without root.
 *
 * @see linux/fs/fuse/dev.c, fuse_dev_show_fdinfo
 */
export function findServer(connection: number): number | null {
  const pids = readdirSync('/proc').filter(name => /^\d+$/.test(name))
  return Number(pids.find(pid => serves(pid, connection))) || null
}

function serves(pid: string, connection: number): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some(
      fd =>
        readlinkSync(`/proc/${pid}/fd/${fd}`) === '/dev/fuse' &&
        new RegExp(`^fuse_connection:\\s*${connection}$`, 'm').test(
          readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8'),
        ),
    )
  } catch {
    return false // somebody else's, or ended
  }
}
