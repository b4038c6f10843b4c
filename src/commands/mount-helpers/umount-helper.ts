import { resolve } from 'node:path'
import { findMount } from '../../fuse/mount-table.js'
import { findImageMount } from '../../mount/outside/find-image-mount.js'
import { command } from '../arguments/command.js'
import { flag, text } from '../arguments/options.js'
import { parse } from '../arguments/parse.js'
import { print } from '../display/output.js'
import { helpOf } from '../manual/help.js'
import { umount } from '../table/umount.js'
import { withHelperCodes } from './helper-codes.js'

/**
 * Called as umount.fuse.rawmount, which is what umount(8) does for mounts of this type when there is such a link in
 * /sbin: then it, too, returns when the image is closed and clean. @see man 8 umount, "External helpers"
 */
export const helper = command({
  ...umount,
  options: {
    lazy: flag('l,lazy', 'out of sight at once; the image is closed when the last user is gone'),
    force: flag('f,force', 'cut off whoever uses the mount; what was not flushed is lost'),
    noMtab: flag('n,no-mtab', 'ignored'),
    verbose: flag('v,verbose', 'ignored'),
    readOnly: flag('r,read-only', 'ignored'),
    type: text('t,types', 'TYPE', null, 'ignored: umount(8) passes it'),
  },
})

export async function run(args: readonly string[]): Promise<number> {
  return withHelperCodes(async () => {
    const given = parse(helper, args)
    if (given === null) await print(helpOf(umount))
    else await end(resolve(given.operands[0] ?? ''), given.values)
    return 0
  })
}

async function end(path: string, { lazy, force }: { lazy: boolean; force: boolean }): Promise<void> {
  if (!lazy && !force) {
    const { unmount } = await import('../umount.js')
    return unmount(path)
  }
  const { detach } = await import('../../fuse/unmount.js')
  const { mountpoint, minor, device } = findImageMount(path)
  if (force) {
    const { ConnectionControl } = await import('../../fuse/connection-control.js')
    const control = ConnectionControl.open(minor, mountpoint)
    control.abort()
    control.close()
  }
  try {
    detach(mountpoint, true)
  } catch (error) {
    // The daemon, whose connection it was, may have been faster.
    if (findMount(mountpoint)?.device === device) throw error
  }
  const { forgetHelper } = await import('../../mount/daemon/utab.js')
  forgetHelper(mountpoint)
}
