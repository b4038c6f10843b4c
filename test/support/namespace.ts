import { chmod, realpath, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Scratch } from './mounting.js'
import { type Outcome, run } from './tools.js'

/** What runInNamespace() needs; for lacks(). */
export const NAMESPACE_NEEDS = ['root', 'unshare', 'setpriv', 'mount', 'umount', 'findmnt', 'fusermount3']

/** A user without rights, and another one. */
export const USER = 65534
export const OTHER = 1000

/**
 * In $WORK/room, which is the working directory, users without rights find this package (rawmount), node and
 * /dev/fuse; as_user and as_other run commands as such users. mount(8) and umount(8) find their helpers in /sbin.
 */
const PREAMBLE = `
set -eu
mount --make-rprivate /
mkdir -p "$WORK/room"
mount -t tmpfs -o mode=755 none "$WORK/room"
cd "$WORK/room"

mkdir package bin sbin etc
touch bin/node
mount --bind "$PACKAGE" package
mount --bind "$NODE" bin/node
ln -s "$PWD/package/dist/bin/rawmount.js" bin/rawmount
mknod -m 666 fuse c 10 229
mount --bind fuse /dev/fuse
export PATH=$PWD/bin:$PATH

mkdir -p /run/mount
mount -t tmpfs none /run/mount
mount --bind "$(realpath /sbin)" sbin
mount -t tmpfs -o mode=755 none "$(realpath /sbin)"
ln -s "$PWD"/sbin/* /sbin
for name in mount.fuse.rawmount umount.fuse.rawmount mount.rawmount; do ln -s "$PWD/bin/rawmount" "/sbin/$name"; done

as_user() { setpriv --reuid ${USER} --regid ${USER} --clear-groups "$@"; }
as_other() { setpriv --reuid ${OTHER} --regid ${OTHER} --clear-groups "$@"; }
code() { "$@" || echo "code $?"; }
daemons() { grep -lzx "[^.].*/daemon-main[.]js" /proc/[0-9]*/cmdline 2> /dev/null | wc -l; }
`

/**
 * Runs a bash script as root in namespaces of its own, so that /sbin, /etc and /dev can be as a test wants them: nothing of
 * the machine is changed, and processes and mounts that the script leaves behind end with it.
 */
export async function runInNamespace(work: Scratch, script: string): Promise<Outcome> {
  await chmod(work.path, 0o755)
  await writeFile(work.join('script'), PREAMBLE + script)
  return run(
    'unshare',
    ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc', 'bash', work.join('script')],
    {
      cwd: work.path,
      env: {
        WORK: work.path,
        PACKAGE: fileURLToPath(new URL('../../../', import.meta.url)),
        NODE: await realpath(process.execPath),
      },
      limit: 60_000,
    },
  )
}

/** What a script that must succeed said on stdout and stderr, a line each. */
export async function linesInNamespace(work: Scratch, script: string): Promise<string[]> {
  const { code, stdout, stderr } = await runInNamespace(work, `exec 2>&1\n${script}`)
  if (code !== 0) throw new Error(`the script ended with ${code}\n${stdout}${stderr}`)
  return stdout.trimEnd().split('\n')
}
