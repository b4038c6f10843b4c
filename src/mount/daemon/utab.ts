import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { findMount, unescapeOctal } from '../../fuse/mount-table.js'
import { MOUNT_TYPE } from '../../fuse/mountpoint.js'
import { tracer } from '../../trace.js'

const debug = tracer('mount')

/**
 * What mount(8) knows of mounts beside the kernel. Without it, umount(8) takes the type of a mount from statfs(2), which
 * is "fuse" for all of them, and finds no helper for this one.
 */
const UTAB = '/run/mount/utab'
const NOTE = `uhelper=${MOUNT_TYPE}`

/** Notes that umount.fuse.rawmount unmounts this. Only root can; for others umount(8) looks at the type itself. */
export function noteHelper(mountpoint: string): void {
  const entry = findMount(mountpoint)
  if (process.geteuid!() !== 0 || entry === null) return
  // What a mount left that was killed.
  forgetNotes(mountpoint)
  tell('mount', '-t', MOUNT_TYPE, '-o', NOTE, '--', entry.source, mountpoint)
}

/** For what ended by other ways than umount(8), which does it by itself. Another mount of images there keeps its note. */
export function forgetHelper(mountpoint: string): void {
  if (process.geteuid!() !== 0 || findMount(mountpoint)?.type === MOUNT_TYPE) return
  forgetNotes(mountpoint)
}

/** Each of the calls takes one away. */
function forgetNotes(mountpoint: string): void {
  for (let left = countNotes(mountpoint); left > 0; left--) tell('umount', '--', mountpoint)
}

function countNotes(mountpoint: string): number {
  try {
    const lines = readFileSync(UTAB, 'utf8').split('\n')
    return lines.filter(line => unescapeOctal(line).includes(` TARGET=${mountpoint} `) && line.includes(NOTE))
      .length
  } catch {
    return 0 // nothing is noted on this system
  }
}

/** Neither program does anything but the note. */
function tell(program: string, ...args: string[]): void {
  const { status, stderr, error } = spawnSync(program, ['--fake', '-i', '--no-canonicalize', ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  // The mount is as good without: umount(8) then returns a little early.
  if (status !== 0) debug('%s noted nothing: %s', program, error ?? stderr.toString().trim())
}
