import { chmod, realpath, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { scratch } from '../support/mounting.js'
import { needsCheck } from '../support/need-check.js'
import { lacks, run } from '../support/tools.js'

/**
 * A user without rights mounts through fusermount3. In a mount namespace of its own, where everything the user needs
 * (this package, node, /dev/fuse) is put where anyone may reach it: nothing of the machine is changed, and whatever
 * the script leaves behind ends with the namespace.
 */
const SCRIPT = `
set -eu
mount --make-rprivate /
mkdir "$WORK/room"
mount -t tmpfs -o mode=755 none "$WORK/room"
cd "$WORK/room"
mkdir package image mnt
touch node fuse.device
mknod -m 666 fuse c 10 229
mount --bind fuse /dev/fuse
mount --bind "$PACKAGE" package
mount --bind "$NODE" node
mv ../disk.qed image/
chown -R 65534:65534 image mnt

as_user() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
rawmount() { as_user ./node package/dist/bin/rawmount.js "$@"; }

rawmount mount $OPTIONS image/disk.qed mnt
findmnt --noheadings --raw --output FSTYPE,SOURCE mnt
as_user stat --format '%u:%g %a %s' mnt/disk.raw
head -c 100000 /dev/urandom > data
as_user dd if=data of=mnt/disk.raw conv=notrunc,fsync status=none
as_user head -c 100000 mnt/disk.raw | cmp - data && echo same
cat mnt/disk.raw 2> /dev/null | head -c 1 | wc -c
rawmount umount mnt
findmnt mnt || echo unmounted
rawmount check image/disk.qed > /dev/null && echo clean
mv image/disk.qed ..
`

for (const transport of ['kernel', 'libfuse'] as const) {
  test(`${transport}: a user without rights mounts through fusermount, and only that user gets in`, async t => {
    const needs = transport === 'libfuse' ? ['libfuse.so.2', 'fusermount'] : []
    if (lacks(t, 'root', 'unshare', 'setpriv', 'fusermount3', ...needs)) return
    const work = await scratch(t)
    await chmod(work.path, 0o755)
    const image = await work.create('disk.qed', '16M')
    await writeFile(work.join('script'), SCRIPT)
    const outcome = await run(
      'unshare',
      ['--mount', '--pid', '--fork', '--mount-proc', 'bash', work.join('script')],
      {
        cwd: work.path,
        env: {
          WORK: work.path,
          PACKAGE: fileURLToPath(new URL('../../../', import.meta.url)),
          NODE: await realpath(process.execPath),
          OPTIONS: `--transport ${transport}`,
        },
      },
    )
    t.is(outcome.code, 0, outcome.stderr)
    const [mount, facts, ...rest] = outcome.stdout.trim().split('\n')
    t.is(mount, `fuse.rawmount ${work.join('room/image/disk.qed')}`)
    t.is(facts, `65534:65534 600 ${16 * 1024 * 1024}`)
    // Root reads nothing: the mount is its user's alone.
    t.deepEqual(rest, ['same', '0', 'unmounted', 'clean'])
    t.false(await needsCheck(image))
  })
}
