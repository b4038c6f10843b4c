import type { CopyProgressDescription } from '../../copy/status.js'
import type { DiskDescription } from '../../disk/descriptions.js'
import type { Disk } from '../../disk/disk.js'
import type { FileSystem, FileSystemStatistics } from '../../fuse/file-system.js'
import { TextSlots } from '../../shared/text-slots.js'
import type { DirectoryNode } from '../nodes.js'
import { renderStatus, type StatusFacts } from '../status/status.js'
import { DiskFile } from './disk-file.js'
import { TextFile } from './text-file.js'
import { type Owner, Tree } from './tree.js'

/** From this each worker builds the same tree over its own Disk. */
export interface TreeDescription {
  readonly disk: DiskDescription
  readonly file: SharedArrayBuffer
  readonly texts: SharedArrayBuffer
  readonly counters: SharedArrayBuffer
  readonly status: StatusFacts
  /** Null where nothing is copied from a base. */
  readonly copying: CopyProgressDescription | null
  readonly owner: Owner
  /** Permission bits that nobody gets. */
  readonly umask: number
  /** False: every read and write of disk.raw comes through (--cache none). */
  readonly cached: boolean
  /** Milliseconds since the epoch. */
  readonly mounted: number
}

/**
 * disk.raw
 * .rawmount/status.json
 */
export function mountedTree(description: TreeDescription, disk: Disk): FileSystem {
  const { status, copying, counters, umask, owner, mounted } = description
  const texts = new TextSlots(description.texts)
  const mode = (disk.writable ? 0o666 : 0o444) & ~umask
  const root: DirectoryNode = {
    name: '',
    children: [
      new DiskFile('disk.raw', disk, description.file, mode, description.cached),
      {
        name: '.rawmount',
        children: [
          new TextFile('status.json', texts, 0o444 & ~umask, () =>
            renderStatus(status, disk, counters, copying),
          ),
        ],
      },
    ],
  }
  return new Tree(root, owner, (disk.writable ? 0o777 : 0o555) & ~umask, mounted, out =>
    describeSpace(disk, out),
  )
}

/** For df: the disk is one file that fills the file system. */
function describeSpace(disk: Disk, out: FileSystemStatistics): void {
  out.blocks = Math.ceil(disk.size / out.blockSize)
  out.blocksFree = 0
}
