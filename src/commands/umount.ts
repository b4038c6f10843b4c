import { resolve } from 'node:path'
import { resolveMountpoint } from '../fuse/mountpoint.js'
import { forgetHelper } from '../mount/daemon/utab.js'
import { unmountImage } from '../mount/outside/unmount.js'
import type { Given } from './arguments/command.js'
import type { umount } from './table/umount.js'

export async function run({ operands }: Given<typeof umount>): Promise<number> {
  const [mountpoint = ''] = operands
  await unmountImage(resolve(mountpoint))
  forgetHelper(resolveMountpoint(mountpoint))
  return 0
}
