import { writeFile } from 'node:fs/promises'
import test, { type ExecutionContext } from 'ava'
import { type Scratch, scratch } from '../support/mounting.js'
import { linesInNamespace, NAMESPACE_NEEDS, USER } from '../support/namespace.js'
import { needsCheck } from '../support/need-check.js'
import { lacks } from '../support/tools.js'

/** mount(8), umount(8) and their fstab, with rawmount as their helper. */

/** Lines `[image, mount point, type, options]` of an fstab; paths below the test's directory. */
async function fstab(work: Scratch, ...lines: [string, string, string, string][]): Promise<string> {
  const escaped = (path: string) => work.join(path).replaceAll(' ', '\\040')
  const text = lines.map(
    ([image, mountpoint, type, options]) =>
      `${escaped(image)} ${escaped(mountpoint)} ${type} ${options} 0 0\n`,
  )
  await writeFile(work.join('fstab'), text.join(''))
  return work.join('fstab')
}

async function prepare(t: ExecutionContext): Promise<Scratch> {
  const work = await scratch(t)
  await work.create('a.qed', '4M')
  await work.directory('a')
  return work
}

const FINDMNT = 'findmnt --noheadings --raw --output SOURCE,TARGET,OPTIONS --type fuse.rawmount'

/** The lines of findmnt that are about the test's own mounts, without the directory and what the kernel adds. */
function mine(work: Scratch, lines: readonly string[]): string[] {
  return lines
    .filter(line => line.startsWith(work.path))
    .map(line => line.replaceAll(`${work.path}/`, '').replace(/,relatime|,user_id.*/g, ''))
}

test('mount -a mounts the lines of fstab once, and passes over a missing image with nofail', async t => {
  if (lacks(t, ...NAMESPACE_NEEDS)) return
  const work = await prepare(t)
  await work.create('b b.qed', '4M')
  await work.directory('b b')
  await work.directory('c')
  await fstab(
    work,
    ['a.qed', 'a', 'fuse.rawmount', 'nofail,x-systemd.automount,X-mount.mkdir,comment=none,_netdev'],
    ['b b.qed', 'b b', 'rawmount', 'ro'],
    ['none.qed', 'c', 'fuse.rawmount', 'nofail'],
  )
  const lines = await linesInNamespace(
    work,
    `mount --fstab "$WORK/fstab" --all
     ${FINDMNT}
     mount --fstab "$WORK/fstab" --all
     daemons
     umount "$WORK/a" "$WORK/b b"
     daemons
     mount --fstab "$WORK/fstab" --all
     rawmount umount "$WORK/a"
     rawmount umount "$WORK/b b"
     wc -c < /run/mount/utab`,
  )
  t.deepEqual(mine(work, lines), ['a.qed a rw,nosuid,nodev', 'b\\x20b.qed b\\x20b ro,nosuid,nodev'])
  t.deepEqual(
    lines.filter(line => /^\d+$/.test(line)),
    // Nor is anything left in what mount(8) notes.
    ['2', '0', '0'],
  )
})

test('umount(8) returns when the image is closed, and names who holds the mount', async t => {
  if (lacks(t, ...NAMESPACE_NEEDS)) return
  const work = await prepare(t)
  await fstab(work, ['a.qed', 'a', 'fuse.rawmount', 'defaults'])
  const lines = await linesInNamespace(
    work,
    `mount --fstab "$WORK/fstab" "$WORK/a"
     sleep 60 < "$WORK/a/disk.raw" & holder=$!
     code umount "$WORK/a" 2>&1 | sed "s/ $holder / HOLDER /"
     kill $holder
     wait || true
     head -c 65536 /dev/urandom > "$WORK/a/disk.raw"
     umount "$WORK/a"
     daemons`,
  )
  t.deepEqual(lines, [
    `rawmount: ${work.join('a')}: is in use by process HOLDER (sleep); end that first`,
    'code 32',
    '0',
  ])
  t.false(await needsCheck(work.join('a.qed')))
})

test('umount(8) and rawmount umount from within the mount do not name themselves', async t => {
  if (lacks(t, ...NAMESPACE_NEEDS)) return
  const work = await prepare(t)
  await fstab(work, ['a.qed', 'a', 'fuse.rawmount', 'defaults'])
  const lines = await linesInNamespace(
    work,
    `mount --fstab "$WORK/fstab" "$WORK/a"
     sleep 60 < "$WORK/a/disk.raw" & holder=$!
     for words in umount "rawmount umount"; do
       (cd "$WORK/a" && exec $words "$WORK/a" 2>&1) | sed "s/ $holder / HOLDER /"
     done
     kill $holder
     wait || true
     umount "$WORK/a"`,
  )
  const busy = `rawmount: ${work.join('a')}: is in use by process HOLDER (sleep); end that first`
  t.deepEqual(lines, [busy, busy])
})

test('umount --lazy leaves the image to its last user, umount --force cuts everybody off', async t => {
  if (lacks(t, ...NAMESPACE_NEEDS)) return
  const work = await prepare(t)
  const lines = await linesInNamespace(
    work,
    `wait_for_daemons() { until [ "$(daemons)" = "$1" ]; do sleep 0.02; done; }
     mount -t fuse.rawmount "$WORK/a.qed" "$WORK/a"
     exec 5< "$WORK/a/disk.raw"
     umount --lazy "$WORK/a"
     head -c 3 <&5 | wc -c
     exec 5<&-
     wait_for_daemons 0
     mount -t fuse.rawmount "$WORK/a.qed" "$WORK/a"
     exec 5< "$WORK/a/disk.raw"
     umount --force "$WORK/a"
     head -c 3 <&5 2> /dev/null | wc -c
     wait_for_daemons 0
     code findmnt "$WORK/a"`,
  )
  t.deepEqual(lines, ['3', '0', 'code 1'])
})

test('what mount(8) notes of a mount is forgotten, however it ends', async t => {
  if (lacks(t, ...NAMESPACE_NEEDS)) return
  const work = await prepare(t)
  await work.directory('b b')
  const lines = await linesInNamespace(
    work,
    `notes() { wc -l < /run/mount/utab; }
     after() {
       mount -t fuse.rawmount "$WORK/a.qed" "$WORK/b b"
       notes
       "$@" "$WORK/b b"
       until [ "$(daemons)" = 0 ]; do sleep 0.02; done
       notes
     }
     signal() { kill "-$1" "$(sed 's/.*"pid": *\\([0-9]*\\).*/\\1/;t;d' "$2/.rawmount/status.json")"; }
     after signal TERM
     after umount.fuse.rawmount
     after umount.fuse.rawmount -l
     after umount.fuse.rawmount -f
     after umount
     # Who was killed forgets nothing: the next one does.
     mount -t fuse.rawmount "$WORK/a.qed" "$WORK/b b"
     signal KILL "$WORK/b b"
     until [ "$(daemons)" = 0 ]; do sleep 0.02; done
     after rawmount umount`,
  )
  t.deepEqual(lines, Array.from({ length: 6 }, () => ['1', '0']).flat())
})

test('noexec, noatime and sync are the kernel’s work: with sync each write is flushed', async t => {
  if (lacks(t, ...NAMESPACE_NEEDS)) return
  const work = await prepare(t)
  await fstab(work, ['a.qed', 'a', 'fuse.rawmount', 'noexec,noatime,sync'])
  for (const transport of ['kernel', 'libfuse']) {
    const [options, before, after] = await linesInNamespace(
      work,
      `syncs() { grep -o '"syncs": *[0-9]*' "$WORK/a/.rawmount/status.json" | grep -o '[0-9]*'; }
       mount --fstab "$WORK/fstab" "$WORK/a" -o transport=${transport}
       ${FINDMNT} | grep "$WORK"
       syncs
       dd if=/dev/zero of="$WORK/a/disk.raw" bs=4k count=3 conv=notrunc status=none
       syncs
       umount "$WORK/a"`,
    )
    t.regex(
      mine(work, [options!])[0]!,
      /^a\.qed a rw,.*noexec,noatime.*,sync|^a\.qed a rw,.*sync.*noexec,noatime/,
    )
    t.true(Number(after) - Number(before) >= 3, `${before} ${after}`)
  }
})

test('what cannot be mounted has the exit codes of mount(8), and one line that says why', async t => {
  if (lacks(t, ...NAMESPACE_NEEDS)) return
  const work = await prepare(t)
  await fstab(work, ['none.qed', 'a', 'fuse.rawmount', 'ro'], ['a.qed', 'none', 'fuse.rawmount', 'ro'])
  const lines = await linesInNamespace(
    work,
    `code mount --fstab "$WORK/fstab" "$WORK/a"
     code mount --fstab "$WORK/fstab" "$WORK/none"
     code mount -t fuse.rawmount -o snyc "$WORK/a.qed" "$WORK/a"
     code mount --fake -t fuse.rawmount -o ro "$WORK/a.qed" "$WORK/a"
     code mount --fake -t fuse.rawmount -o ro http://127.0.0.1/a.qed "$WORK/a"
     code mount --fake -t fuse.rawmount -o ro "$WORK/none.qed" "$WORK/a"
     code mount --fake -t fuse.rawmount -o threads=no "$WORK/a.qed" "$WORK/a"
     mount -t fuse.rawmount "$WORK/a.qed" "$WORK/a"
     code mount -o remount,ro "$WORK/a"
     umount "$WORK/a"`,
  )
  t.deepEqual(
    lines.map(line => line.replaceAll(`${work.path}/`, '')),
    [
      'rawmount: none.qed: does not exist; check the name',
      'code 32',
      'rawmount: none: no such directory: create it with mkdir',
      'code 32',
      "rawmount: mount: unknown mount option 'snyc': did you mean 'sync'?",
      'code 1',
      'rawmount: none.qed: no such file',
      'code 32',
      "rawmount: mount: option '-o threads' takes a number from 1 to 64, not 'no'",
      'code 1',
      'rawmount: mount: the options of a mount cannot be changed (remount): unmount, and mount again with those you want',
      'code 1',
    ],
  )
})

test('a line with the word user lets a user without rights mount and unmount', async t => {
  if (lacks(t, ...NAMESPACE_NEEDS)) return
  const work = await scratch(t)
  await work.create('a.qed', '4M')
  const lines = await linesInNamespace(
    work,
    `mkdir images mnt
     mv "$WORK/a.qed" images
     chown -R ${USER}:${USER} images mnt
     echo "$PWD/images/a.qed $PWD/mnt fuse.rawmount user,noauto 0 0" > etc/fstab
     touch /etc/fstab 2> /dev/null
     mount --bind etc/fstab /etc/fstab
     as_user mount "$PWD/mnt"
     findmnt --noheadings --raw --output OPTIONS mnt
     as_user stat --format '%u %s' mnt/disk.raw
     as_user umount "$PWD/mnt"
     daemons
     code findmnt mnt
     mv images/a.qed "$WORK"`,
  )
  t.regex(lines[0]!, new RegExp(`^rw,nosuid,nodev,noexec,.*user_id=${USER},`))
  t.deepEqual(lines.slice(1), [`${USER} ${4 * 1024 * 1024}`, '0', 'code 1'])
  t.false(await needsCheck(work.join('a.qed')))
})
