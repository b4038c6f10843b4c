import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { Attributes, type FileSystem } from '../../fuse/file-system.js'
import { errnoName } from '../../libc/errno.js'
import { truncate } from '../../libc/files.js'
import { lastErrno } from '../../libc/library.js'
import { tracer } from '../../trace.js'
import { mountedTree, type TreeDescription } from '../tree/mounted-tree.js'

export interface SizeKeeperTask {
  readonly mountpoint: string
  readonly tree: TreeDescription
}

const debug = tracer('mount')
const { mountpoint, tree } = workerData as SizeKeeperTask
const fs = mountedTree(tree, 0)
const attributes = new Attributes()
const ROOT = 1

parentPort!.on('message', (inode: number) => {
  const path = pathOf(fs, inode, ROOT, mountpoint)
  if (path === null) return
  fs.attributes(inode, attributes)
  // Should it fail, the mount is gone or covered, and nobody can be told.
  if (truncate(path, attributes.size) !== 0) debug('truncate %s: %s', path, errnoName(lastErrno()))
})

/** Null when it has no name: of a partition that is gone from the table, and that somebody still has open. */
function pathOf(fs: FileSystem, wanted: number, directory: number, path: string): string | null {
  for (const { name, inode, directory: isDirectory } of fs.entries(directory)) {
    if (name === '.' || name === '..') continue
    const at = join(path, name)
    if (inode === wanted) return at
    const below = isDirectory ? pathOf(fs, wanted, inode, at) : null
    if (below !== null) return below
  }
  return null
}
