import { attachDisk } from '../../disk/attach.js'
import type { DiskDescription } from '../../disk/descriptions.js'
import type { Disk } from '../../disk/disk.js'

/** Attached to when it is first asked for: of a hundred images, a worker mostly serves a few. */
export class AttachedDisk {
  /** `disk`: of this thread already, in the thread that opened the image. */
  constructor(
    private readonly description: DiskDescription,
    private attached: Disk | null = null,
  ) {}

  get writable(): boolean {
    return this.description.writable
  }

  get disk(): Disk {
    this.attached ??= attachDisk(this.description)
    return this.attached
  }
}
