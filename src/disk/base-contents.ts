import type { BaseContents } from '../formats/format.js'
import type { Disk } from './disk.js'
import { Extent } from './extents.js'

/** What is known of a disk without reading it. */
export class DiskContents implements BaseContents {
  readonly size: number
  private readonly extent = new Extent()

  constructor(private readonly disk: Disk) {
    this.size = disk.size
  }

  zerosUntil(offset: number): number {
    return this.stretch(offset, true)
  }

  dataUntil(offset: number): number {
    return this.stretch(offset, false)
  }

  private stretch(offset: number, zeros: boolean): number {
    const { disk, extent, size } = this
    let end = offset
    while (end < size) {
      disk.nextExtent(end, size - end, extent)
      if ((!extent.data || extent.hole) !== zeros) break
      end += extent.length
    }
    return end
  }
}
