import type { CopyProgressDescription } from '../../copy/status.js'
import type { DiskDescription } from '../../disk/descriptions.js'
import { errno, SystemError } from '../../libc/errno.js'
import type { TextSlots } from '../../shared/text-slots.js'
import type { DirectoryNode, FileNode } from '../nodes.js'
import { PartitionFiles } from '../partition-files/partition-files.js'
import { renderPartitions } from '../partition-files/partitions-text.js'
import { DISK_NAME, SharedWindow } from '../partition-files/shared-window.js'
import type { WindowSlot } from '../partition-files/window-slot.js'
import { WindowTable } from '../partition-files/window-table.js'
import { CellMap } from '../status/cell-map.js'
import type { ImageSource } from '../status/image-metrics.js'
import type { ImageFacts } from '../status/image-status.js'
import { type MetricsSource, renderMetrics } from '../status/metrics.js'
import { imageStatus, type MountFacts, renderStatus } from '../status/status.js'
import { STATUS_CONTROL } from '../status/status-control.js'
import type { AttachedDisk } from './attached-disk.js'
import { DiskFile } from './disk-file.js'
import { TextFile } from './text-file.js'

/** An open image, as each worker builds the same files for it. */
export interface ImageDescription {
  /** Of its folder, where there is one for each image. */
  readonly name: string
  readonly facts: ImageFacts
  readonly disk: DiskDescription
  /** CellMap.allocate() */
  readonly cells: SharedArrayBuffer
  /** WindowTable.allocate() */
  readonly windows: SharedArrayBuffer
  /** Null where nothing is copied from a base. */
  readonly copying: CopyProgressDescription | null
}

/** What the files of all images have in common. */
export interface Surroundings {
  readonly mount: MountFacts
  readonly texts: TextSlots
  /** Permission bits that nobody gets. */
  readonly umask: number
  /** False: every read and write of disk.raw comes through (--cache none). */
  readonly cached: boolean
  /** The image is one of many; else what is counted for it is counted for the mount. */
  readonly several: boolean
}

/** The files of one image, in one thread. */
export class ImageNodes {
  readonly diskFile: FileNode
  private readonly wholeDisk: SharedWindow
  private cellMap: CellMap | null = null
  private readonly partitions: PartitionFiles

  /** `counters`: of the image, or of the mount where there is no other. */
  constructor(
    private readonly image: ImageDescription,
    private readonly disk: AttachedDisk,
    private readonly counters: SharedArrayBuffer,
    private readonly surroundings: Surroundings,
    wrap: (file: FileNode) => FileNode = file => file,
  ) {
    const { umask, cached } = surroundings
    const mode = (disk.writable ? 0o666 : 0o444) & ~umask
    const table = new WindowTable(image.windows)
    const show = (name: string, slot: WindowSlot): FileNode =>
      wrap(new DiskFile(name, disk, new SharedWindow(table, slot), mode, cached))
    this.diskFile = show(DISK_NAME, table.wholeDisk)
    this.wholeDisk = new SharedWindow(table, table.wholeDisk)
    this.partitions = new PartitionFiles(table, () => disk.disk, show)
  }

  /**
   * disk.raw, p1.raw …
   * .rawmount/status.json, metrics, partitions.json, map.json
   */
  directory(name: string): DirectoryNode {
    const { texts, umask } = this.surroundings
    const text = (name: string, produce: () => string): TextFile =>
      new TextFile(name, texts, 0o444 & ~umask, produce)
    const hidden: DirectoryNode = {
      name: '.rawmount',
      children: [
        text('status.json', () => renderStatus(this.status())),
        text('metrics', () => renderMetrics(this.metrics())),
        text('partitions.json', () => renderPartitions(() => this.partitions.current())),
        text('map.json', () => this.map().render()),
      ],
    }
    return { name, children: [this.diskFile, hidden], changing: this.partitions }
  }

  /** The disk as a file that is the whole tree, and tells its status to who asks by ioctl(2). */
  alone(): FileNode {
    const { diskFile } = this
    diskFile.control = (command, out) => {
      if (command !== STATUS_CONTROL) throw new SystemError(errno.ENOTTY, 'ioctl', diskFile.name)
      const text = JSON.stringify(this.status())
      const { written, read } = new TextEncoder().encodeInto(text, out)
      if (read < text.length) throw new SystemError(errno.EOVERFLOW, 'ioctl', diskFile.name)
      return written
    }
    return diskFile
  }

  /** Made when it is first asked for: of a hundred images, few are looked at. */
  private map(): CellMap {
    const { chain } = this.image.facts
    this.cellMap ??= new CellMap(this.image.cells, this.disk.disk, chain.length, chain[0]?.clusterSize)
    return this.cellMap
  }

  /** What of this image goes into metrics. */
  source(): ImageSource {
    const { image, disk, counters } = this
    const { handles } = this.wholeDisk.cells
    return { ...image, disk: disk.disk, counters, openHandles: () => handles[0]! }
  }

  private metrics(): MetricsSource {
    const { counters, surroundings } = this
    const { mount, several } = surroundings
    return { mount, counters: several ? null : counters, images: [this.source()], failed: 0 }
  }

  private status() {
    const { image, disk, counters, surroundings } = this
    const { mount, several } = surroundings
    return imageStatus(mount, image.facts, disk.disk, counters, image.copying, several)
  }
}
