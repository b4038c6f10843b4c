import type {
  AttributeChange,
  Attributes,
  Caching,
  DirectoryEntry,
  FileSystem,
  FileSystemStatistics,
  OutdatedPages,
} from '../../fuse/file-system.js'
import type { IoBuffer } from '../../libc/io-buffer.js'
import {
  type ChangingFiles,
  type Coherence,
  type FileNode,
  isDirectory,
  refuse,
  type TreeNode,
} from '../nodes.js'

const S_IFDIR = 0o040000

export interface Owner {
  readonly uid: number
  readonly gid: number
}

/** Inode numbers of changing files begin here: the directory's times this, and the file's id. */
const CHANGING = 2 ** 32

/**
 * The mounted tree as a file system. Its shape is fixed, but for changing files: inode numbers are places in a list, in
 * the order in which the tree is walked, so every worker that builds it from the same description gets the same.
 */
export class Tree implements FileSystem {
  private readonly nodes: TreeNode[] = []
  private readonly parents: number[] = []
  private readonly listings: DirectoryEntry[][] = []

  constructor(
    root: TreeNode,
    private readonly owner: Owner,
    private readonly directoryMode: number,
    private readonly mounted: number,
    private readonly describeSpace: (out: FileSystemStatistics) => void,
  ) {
    this.add(root, 1)
  }

  private add(node: TreeNode, parent: number): number {
    const inode = this.nodes.push(node)
    this.parents[inode - 1] = parent
    if (!isDirectory(node)) return inode
    const listing: DirectoryEntry[] = [
      { name: '.', inode, directory: true },
      { name: '..', inode: parent, directory: true },
    ]
    this.listings[inode - 1] = listing
    for (const child of node.children) {
      listing.push({ name: child.name, inode: this.add(child, inode), directory: isDirectory(child) })
    }
    return inode
  }

  lookup(parent: number, name: string): number {
    const listing = this.listings[parent - 1]
    if (listing === undefined) throw refuse('ENOTDIR', 'lookup', name)
    for (let i = 0; i < listing.length; i++) if (listing[i].name === name) return listing[i].inode
    const id = this.changing(parent)?.lookup(name) ?? 0
    if (id > 0) return parent * CHANGING + id
    throw refuse('ENOENT', 'lookup', name)
  }

  lasting(inode: number): boolean {
    return inode < CHANGING
  }

  attributes(inode: number, out: Attributes): void {
    const node = this.node(inode)
    out.inode = inode
    out.uid = this.owner.uid
    out.gid = this.owner.gid
    out.blocks = 0
    out.links = 1
    if (!isDirectory(node)) {
      node.attributes(out)
      return
    }
    out.mode = S_IFDIR | this.directoryMode
    out.size = 0
    out.links = 2 + node.children.filter(isDirectory).length
    out.atime = out.mtime = out.ctime = Math.floor(this.mounted / 1000)
    out.atimeNanoseconds = out.mtimeNanoseconds = out.ctimeNanoseconds = (this.mounted % 1000) * 1e6
  }

  change(inode: number, change: AttributeChange, out: Attributes): void {
    this.file(inode).change(change)
    this.attributes(inode, out)
  }

  open(inode: number, flags: number): number {
    return this.file(inode).open(flags)
  }

  /** What the kernel knows of a directory stays true for ever. */
  caching(inode: number): Caching {
    const node = this.node(inode)
    return isDirectory(node) ? 'cached' : node.caching
  }

  read(inode: number, handle: number, buffer: IoBuffer, at: number, length: number, offset: number): number {
    return this.file(inode).read(handle, buffer, at, length, offset)
  }

  write(inode: number, handle: number, buffer: IoBuffer, at: number, length: number, offset: number): number {
    return this.file(inode).write(handle, buffer, at, length, offset)
  }

  /** close(2) is no fsync: errors of earlier writes were told, and durability is what fsync is for. */
  flush(_inode: number, _handle: number): void {}

  release(inode: number, handle: number): void {
    this.file(inode).release(handle)
  }

  sync(inode: number, _handle: number): void {
    this.file(inode).sync()
  }

  allocate(inode: number, _handle: number, mode: number, offset: number, length: number): void {
    this.file(inode).allocate(mode, offset, length)
  }

  seek(inode: number, _handle: number, offset: number, whence: number): number {
    return this.file(inode).seek(offset, whence)
  }

  entries(inode: number): readonly DirectoryEntry[] {
    const listing = this.listings[inode - 1]
    if (listing === undefined) throw refuse('ENOTDIR', 'readdir', this.node(inode).name)
    const changing = this.changing(inode)
    if (changing === null) return listing
    return [...listing, ...changing.list().map(id => this.changingEntry(inode, id))]
  }

  outdates(inode: number): boolean {
    return this.coherence(inode)?.outdates() ?? false
  }

  takeOutdated(inode: number): readonly OutdatedPages[] {
    const directory = inode < CHANGING ? this.parents[inode - 1]! : Math.floor(inode / CHANGING)
    const parts = this.coherence(inode)?.take() ?? []
    return parts.map(({ file, offset, length }) => ({
      inode: typeof file === 'string' ? this.lookup(directory, file) : directory * CHANGING + file,
      offset,
      length,
    }))
  }

  droppedOutdated(inode: number): void {
    this.coherence(inode)?.dropped()
  }

  control(inode: number, command: number, out: Uint8Array): number {
    const node = this.node(inode)
    if (isDirectory(node) || node.control === undefined) throw refuse('ENOTTY', 'ioctl', node.name)
    return node.control(command, out)
  }

  statistics(out: FileSystemStatistics): void {
    out.files = this.nodes.length
    this.describeSpace(out)
  }

  private coherence(inode: number): Coherence | undefined {
    const node = this.node(inode)
    return isDirectory(node) ? undefined : node.coherence
  }

  private changing(inode: number): ChangingFiles | null {
    const node = this.node(inode)
    return (isDirectory(node) && node.changing) || null
  }

  private changingEntry(parent: number, id: number): DirectoryEntry {
    const inode = parent * CHANGING + id
    return { name: this.node(inode).name, inode, directory: false }
  }

  private node(inode: number): TreeNode {
    const node =
      inode < CHANGING
        ? this.nodes[inode - 1]
        : this.changing(Math.floor(inode / CHANGING))?.file(inode % CHANGING)
    if (node == null) throw refuse('ENOENT', 'lookup', `inode ${inode}`)
    return node
  }

  private file(inode: number): FileNode {
    const node = this.node(inode)
    if (isDirectory(node)) throw refuse('EISDIR', 'open', node.name)
    return node
  }
}
