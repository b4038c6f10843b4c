import { resolve } from 'node:path'
import { resolveMountpoint } from '../fuse/mountpoint.js'
import { forgetHelper } from '../mount/daemon/utab.js'
import { unmountImage } from '../mount/outside/unmount.js'
import type { Given } from './arguments/command.js'
import { warn } from './display/report.js'
import type { umount } from './table/umount.js'

export async function run({ operands }: Given<typeof umount>): Promise<number> {
  const [mountpoint = ''] = operands
  await unmount(resolve(mountpoint))
  return 0
}

/** For umount(8), too. */
export async function unmount(path: string): Promise<void> {
  const mountpoint = resolveMountpoint(path)
  const isClosed = await unmountImage(path)
  forgetHelper(mountpoint)
  if (isClosed) return
  warn(`${path}: is unmounted, but its process was not found: the image may be open for a moment still`)
}
