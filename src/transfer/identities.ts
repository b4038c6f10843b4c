import type { CompanionDescription, DiskDescription } from '../disk/descriptions.js'
import type { FileDescription } from '../storage/storage-file.js'
import { systemHost } from '../storage/system-host.js'
import type { Identities } from './looks.js'

/** For looks.ts: of the paths that extents name. */
export function identitiesOf(disk: DiskDescription): Identities {
  // Places in an image that has the data of another are those of the disk it shows, not of the file.
  return new Map(
    filesOf(disk).map(({ path, identity, isImage }) => [path, isImage ? `disk of ${identity}` : identity]),
  )
}

interface OpenedFile {
  readonly path: string
  readonly identity: string
  /** It is an image that has the data of another. */
  readonly isImage: boolean
}

/** All files of a disk; but for those on web servers. */
export function filesOf(disk: DiskDescription): OpenedFile[] {
  return disk.layers.flatMap(({ file, companion }) => [...opened(file), ...companionFiles(companion)])
}

function companionFiles(companion: CompanionDescription | null): OpenedFile[] {
  if (companion === null) return []
  if (companion.kind === 'file') return opened(companion.file)
  return filesOf(companion.disk).map(file =>
    file.path === companion.path ? { ...file, isImage: true } : file,
  )
}

function opened({ path, fd, remote }: FileDescription): OpenedFile[] {
  return remote === undefined ? [{ path, identity: identityOf(fd), isImage: false }] : []
}

/** Of the open file, whoever took its name since. */
function identityOf(fd: number): string {
  return systemHost.inspect(`/proc/self/fd/${fd}`).identity
}
