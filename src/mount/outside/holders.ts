import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { readMountTable } from '../../fuse/mount-table.js'

/**
 * Who keeps a mount busy, in words: loop devices on its files, mounts below it, processes with an open file, a working
 * directory or a memory map in it. Processes of others stay unseen without root. Asks nothing of the mount itself.
 * Not named are who asks, and the process `server`: an image that is mounted over itself is open there, below the mount.
 */
export function holdersOf(mountpoint: string, server: number | null): string[] {
  return [...loopDevices(mountpoint), ...mountsBelow(mountpoint), ...processes(mountpoint, server)]
}

function isWithin(path: string, mountpoint: string): boolean {
  return path === mountpoint || path.startsWith(`${mountpoint}/`)
}

function loopDevices(mountpoint: string): string[] {
  return list('/sys/block')
    .filter(name => name.startsWith('loop'))
    .filter(name => isWithin(read(`/sys/block/${name}/loop/backing_file`), mountpoint))
    .map(name => {
      const where = readMountTable().filter(entry => entry.source === `/dev/${name}`)
      return where.length === 0
        ? `/dev/${name}`
        : `/dev/${name} (mounted at ${where.map(entry => entry.mountpoint).join(', ')})`
    })
}

function mountsBelow(mountpoint: string): string[] {
  return readMountTable()
    .filter(entry => entry.mountpoint.startsWith(`${mountpoint}/`))
    .map(entry => `the mount at ${entry.mountpoint}`)
}

function processes(mountpoint: string, server: number | null): string[] {
  const unnamed = [server, ...askers()]
  return list('/proc')
    .filter(name => /^\d+$/.test(name) && !unnamed.includes(Number(name)) && usesMount(name, mountpoint))
    .map(pid => `process ${pid} (${nameOf(pid)})`)
}

/** Who wants to unmount, maybe from within the mount: they end by themselves. */
function askers(): number[] {
  const { pid, ppid } = process
  return nameOf(ppid) === 'umount' ? [pid, ppid] : [pid]
}

function nameOf(pid: number | string): string {
  return read(`/proc/${pid}/comm`).trim()
}

function usesMount(pid: string, mountpoint: string): boolean {
  const links = [
    `/proc/${pid}/cwd`,
    `/proc/${pid}/root`,
    ...list(`/proc/${pid}/fd`).map(fd => `/proc/${pid}/fd/${fd}`),
  ]
  if (links.some(link => isWithin(target(link), mountpoint))) return true
  return read(`/proc/${pid}/maps`)
    .split('\n')
    .some(line => isWithin(line.slice(line.indexOf('/')), mountpoint) && line.includes('/'))
}

// What cannot be read belongs to somebody else, or has ended since: it is not named.

function list(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8').trimEnd()
  } catch {
    return ''
  }
}

function target(link: string): string {
  try {
    return readlinkSync(link)
  } catch {
    return ''
  }
}
