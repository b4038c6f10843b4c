import { spawnSync } from 'node:child_process'
import { accessSync, closeSync, constants } from 'node:fs'
import { join } from 'node:path'
import { ImageError } from '../errors.js'
import { connectedSockets, receiveDescriptor } from '../libc/sockets.js'

/**
 * fusermount3, the set-uid program that mounts and unmounts for users without privileges.
 *
 * @see man 1 fusermount3
 */

/** What a path adds to where the shell looks: daemons are started with a short one. */
const USUAL_DIRECTORIES = ['/usr/bin', '/bin', '/usr/local/bin']

/** Its path, the one of FUSE 2 where there is no other; null when neither is installed. */
export function findFusermount(): string | null {
  const directories = [...(process.env.PATH ?? '').split(':').filter(Boolean), ...USUAL_DIRECTORIES]
  for (const name of ['fusermount3', 'fusermount']) {
    for (const directory of directories) {
      const path = join(directory, name)
      try {
        accessSync(path, constants.X_OK)
        return path
      } catch {
        // Not here: that is what is being asked.
      }
    }
  }
  return null
}

/** Mounts at `mountpoint` and returns the descriptor of /dev/fuse. Options are escaped where they need it. */
export function fusermountMount(mountpoint: string, options: readonly string[]): number {
  const program = findFusermount()
  if (program === null) {
    throw new ImageError(
      'MOUNT',
      `${mountpoint}: mounting without being root needs fusermount3: install the package fuse3, or mount as root`,
    )
  }
  const [mine, theirs] = connectedSockets()
  try {
    const child = spawnSync(program, ['-o', options.map(escapeOption).join(','), '--', mountpoint], {
      stdio: ['ignore', 'ignore', 'pipe', theirs],
      env: { ...process.env, _FUSE_COMMFD: '3' },
    })
    closeSync(theirs)
    if (child.error) throw child.error
    const fd = child.status === 0 ? receiveDescriptor(mine) : null
    if (fd === null) throw refusal(mountpoint, child.stderr.toString())
    return fd
  } finally {
    closeSync(mine)
  }
}

/** A comma ends an option, a backslash takes away its meaning. */
export function escapeOption(option: string): string {
  return option.replace(/[\\,]/g, '\\$&')
}

const STEPS: readonly (readonly [RegExp, string])[] = [
  [/user_allow_other/, "add a line 'user_allow_other' to /etc/fuse.conf, or leave allow_other out"],
  [/device not found/, "try 'modprobe fuse'"],
  [/\/dev\/fuse: Permission denied/, "allow it with 'chmod 666 /dev/fuse', or mount as root"],
]

/** What helps against what fusermount said, of either FUSE; null when that is not known. */
export function nextStep(said: string): string | null {
  return STEPS.find(([pattern]) => pattern.test(said))?.[1] ?? null
}

function refusal(mountpoint: string, output: string): ImageError {
  const said = withoutNames(output)
  const step = nextStep(said) ?? 'mount on a directory of your own, or as root'
  return new ImageError(
    'MOUNT',
    `${mountpoint}: fusermount3 refused: ${said || 'it gave no reason'}: ${step}`,
  )
}

/** Runs `fusermount3 -u`. Null on success, else what it said. */
export function fusermountUnmount(mountpoint: string, lazy: boolean): string | null {
  const program = findFusermount()
  if (program === null) return 'fusermount3 is missing: install the package fuse3'
  const child = spawnSync(program, [...(lazy ? ['-u', '-z'] : ['-u']), '--', mountpoint], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  if (child.error) throw child.error
  return child.status === 0 ? null : withoutNames(child.stderr.toString())
}

/** In one line, without the name of the program that each line begins with. */
export function withoutNames(output: string): string {
  return output
    .trim()
    .split('\n')
    .map(line => line.replace(/^\S*fuse(rmount3?)?: */, ''))
    .join('; ')
}
