import type { Disk } from '../../disk/disk.js'
import { Counters } from '../../fuse/counters.js'
import type { FileSystem, FileSystemStatistics } from '../../fuse/file-system.js'
import { TextSlots } from '../../shared/text-slots.js'
import type { TreeNode } from '../nodes.js'
import { renderMetrics } from '../status/metrics.js'
import {
  type FailedImage,
  type FolderFacts,
  foldersStatus,
  type MountFacts,
  renderFolders,
} from '../status/status.js'
import { AttachedDisk } from './attached-disk.js'
import { CountedFile } from './counted-file.js'
import { type ImageDescription, ImageNodes, type Surroundings } from './image-nodes.js'
import { TextFile } from './text-file.js'
import { type Owner, Tree } from './tree.js'

/** From this each worker builds the same tree, over disks of its own. */
export interface TreeDescription {
  readonly layout: Layout
  /** What the mount table shows as being mounted. */
  readonly source: string
  readonly mount: MountFacts
  readonly images: readonly ServedDescription[]
  readonly failed: readonly FailedImage[]
  readonly texts: SharedArrayBuffer
  /** Of the whole mount. */
  readonly counters: SharedArrayBuffer
  readonly owner: Owner
  /** Permission bits that nobody gets. */
  readonly umask: number
  /** False: every read and write of disk.raw comes through (--cache none). */
  readonly cached: boolean
  /** Milliseconds since the epoch. */
  readonly mounted: number
}

/**
 * directory: disk.raw, .rawmount/status.json, metrics
 * folders:   the same in NAME for each image, and .rawmount/status.json, metrics of them all
 * file:      the mount point is the disk
 */
export type Layout = 'directory' | 'folders' | 'file'

/** `counters`: of the image alone, where there are several. */
export type ServedDescription = ImageDescription & { readonly counters: SharedArrayBuffer | null }

/** `worker`: the number of the thread; `disks`: those that it has open already. */
export function mountedTree(
  description: TreeDescription,
  worker: number,
  disks: readonly Disk[] = [],
): FileSystem {
  const { layout, images, owner, umask, mounted } = description
  const texts = new TextSlots(description.texts)
  const { mount, cached } = description
  const surroundings = { mount, texts, umask, cached, several: layout === 'folders' }
  const nodes = images.map((image, index) =>
    nodesOf(image, description, worker, surroundings, disks[index] ?? null),
  )
  const writable = images.some(({ disk }) => disk.writable)
  return new Tree(
    layout === 'file' ? nodes[0]!.alone() : rootOf(description, texts, nodes),
    owner,
    (writable ? 0o777 : 0o555) & ~umask,
    mounted,
    out => describeSpace(description, out),
  )
}

function nodesOf(
  image: ServedDescription,
  { counters }: TreeDescription,
  worker: number,
  surroundings: Surroundings,
  open: Disk | null,
): ImageNodes {
  const disk = new AttachedDisk(image.disk, open)
  if (image.counters === null) return new ImageNodes(image, disk, counters, surroundings)
  const own = new Counters(image.counters, worker)
  return new ImageNodes(image, disk, image.counters, surroundings, file => new CountedFile(file, own))
}

function rootOf(description: TreeDescription, texts: TextSlots, nodes: readonly ImageNodes[]): TreeNode {
  const { layout, mount, images, failed, counters, umask } = description
  if (layout === 'directory') return nodes[0]!.directory('')
  const facts = foldersFacts(description)
  const status = new TextFile('status.json', texts, 0o444 & ~umask, () =>
    renderFolders(foldersStatus(mount, facts, failed, counters)),
  )
  const metrics = new TextFile('metrics', texts, 0o444 & ~umask, () =>
    renderMetrics({ mount, counters, images: nodes.map(node => node.source()), failed: failed.length }),
  )
  return {
    name: '',
    children: [
      ...images.map(({ name }, index) => nodes[index]!.directory(name)),
      { name: '.rawmount', children: [status, metrics] },
    ],
  }
}

export function foldersFacts({ images }: TreeDescription): FolderFacts[] {
  return images.map(({ name, facts: { image, overlay, format, virtualSize, readOnly } }) => ({
    folder: name,
    image,
    overlay,
    format,
    virtualSize,
    readOnly,
  }))
}

/** Nothing in it can be written. */
export function isReadOnly({ images }: TreeDescription): boolean {
  return images.every(({ disk }) => !disk.writable)
}

/** For df: the disks fill the file system. */
function describeSpace({ images }: TreeDescription, out: FileSystemStatistics): void {
  out.blocks = images.reduce((sum, { facts }) => sum + Math.ceil(facts.virtualSize / out.blockSize), 0)
  out.blocksFree = 0
}
