import { type MountEntry, readMountTable } from '../../fuse/mount-table.js'
import { MOUNT_TYPE } from '../../fuse/mountpoint.js'
import { askStatuses, type ListedImage, type MountState } from './ask-statuses.js'
import { findServer } from './find-server.js'

/** A mount of images, as far as this user can see. */
export interface ListedMount {
  readonly mountpoint: string
  /** As the mount table has it: the image, the directory of images, or how many there are. */
  readonly source: string
  readonly readOnly: boolean
  readonly state: MountState
  /** The process that serves it; null when it is dead, or cannot be found. */
  readonly pid: number | null
  readonly transport: 'kernel' | 'libfuse' | null
  /** Null when the mount does not say. */
  readonly images: readonly ListedImage[] | null
}

/** All mounts of images in the mount table, in the order in which they were mounted. Never hangs, whatever they do. */
export async function listMounts(): Promise<ListedMount[]> {
  const mounts = imageMounts()
  const answers = await askStatuses(mounts.map(({ mountpoint }) => mountpoint))
  const still = new Set(imageMounts().map(({ device }) => device))
  return mounts.flatMap((mount, index) => {
    // One that went away meanwhile had no chance to answer.
    if (!still.has(mount.device)) return []
    const { mountpoint, source, readOnly, minor } = mount
    const answer = answers[index]!
    const facts = { mountpoint, source, readOnly }
    if (answer.state === 'serving') return { ...facts, ...answer }
    const pid = answer.state === 'dead' ? null : findServer(minor)
    return { ...facts, state: answer.state, pid, transport: null, images: null }
  })
}

/** What is on top: a mount below another one at the same place cannot be asked. */
function imageMounts(): MountEntry[] {
  const top = new Map(readMountTable().map(entry => [entry.mountpoint, entry]))
  return [...top.values()].filter(({ type }) => type === MOUNT_TYPE)
}
