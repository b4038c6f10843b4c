import type { Disk } from '../../disk/disk.js'
import { foldersStatus, imageStatus } from '../status/status.js'
import { foldersFacts, type TreeDescription } from '../tree/mounted-tree.js'

/** For a log: what status.json says of a mount, and of each of its images, as a line of JSON each. */
export function statusLines(tree: TreeDescription, disks: readonly Disk[]): string[] {
  const { images, mount, counters, layout } = tree
  const ofImages = images.map((image, index) =>
    imageStatus(
      mount,
      image.facts,
      disks[index]!,
      image.counters ?? counters,
      image.copying,
      image.counters !== null,
    ),
  )
  const all = layout === 'folders' ? [foldersStatus(mount, foldersFacts(tree), tree.failed, counters)] : []
  return [...all, ...ofImages].map(status => `status ${JSON.stringify(status)}`)
}
