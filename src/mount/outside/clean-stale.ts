import { findMount } from '../../fuse/mount-table.js'
import { MOUNT_TYPE, resolvePlaceToMount } from '../../fuse/mountpoint.js'
import { detach } from '../../fuse/unmount.js'
import { askStatuses } from './ask-statuses.js'

/**
 * Removes the stale mounts at `path`, one over the other if need be, and waits for none that hangs: whose daemon does not
 * answer is not stale.
 */
export async function cleanStaleInTime(path: string): Promise<void> {
  const mountpoint = resolvePlaceToMount(path)
  while (findMount(mountpoint)?.type === MOUNT_TYPE && (await isDead(mountpoint))) detach(mountpoint, true)
}

async function isDead(mountpoint: string): Promise<boolean> {
  const [answer] = await askStatuses([mountpoint])
  return answer!.state === 'dead'
}
