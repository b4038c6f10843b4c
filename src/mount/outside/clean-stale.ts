import { spawn } from 'node:child_process'
import { findMount } from '../../fuse/mount-table.js'
import { MOUNT_TYPE, resolveMountpoint } from '../../fuse/mountpoint.js'
import { detach } from '../../fuse/unmount.js'

/** Milliseconds that a mount has for its answer: of a stale one it comes at once, from the kernel. */
const PATIENCE = 1000
/** The same, that a process has to start. */
const START = 30_000

/**
 * Removes the stale mounts at `path`, one over the other if need be, and waits for none that hangs: whose daemon does not
 * answer is not stale.
 */
export async function cleanStaleInTime(path: string): Promise<void> {
  const mountpoint = resolveMountpoint(path)
  while (findMount(mountpoint)?.type === MOUNT_TYPE && (await isKnownStale(mountpoint))) {
    detach(mountpoint, true)
  }
}

/** Another process asks, as one that waits for a hanging mount can do nothing else, nor always be ended. */
function isKnownStale(mountpoint: string): Promise<boolean> {
  const program = new URL('./ask-stale-main.js', import.meta.url).pathname
  const child = spawn(process.execPath, [program], {
    cwd: '/',
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  })
  return new Promise((resolve, reject) => {
    const finish = (stale: boolean): void => {
      clearTimeout(timer)
      child.removeAllListeners()
      child.kill('SIGKILL')
      if (child.connected) child.disconnect()
      child.unref()
      resolve(stale)
    }
    let timer = setTimeout(finish, START, false)
    child.once('error', reject)
    child.once('exit', () => finish(false))
    child.on('message', answer => {
      if (answer !== 'ready') return finish(answer as boolean)
      clearTimeout(timer)
      timer = setTimeout(finish, PATIENCE, false)
    })
    child.send(mountpoint)
  })
}
