import { existsSync } from 'node:fs'
import { chmod, mkdir, open, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { ImageError } from '../../src/errors.js'
import { escapeOption } from '../../src/fuse/fusermount.js'
import { handshake } from '../../src/fuse/handshake.js'
import { mountKernel } from '../../src/fuse/kernel-mount.js'
import { nextStep } from '../../src/fuse/libfuse-load.js'
import { findMount } from '../../src/fuse/mount-table.js'
import { checkMountpoint, cleanStale, isStale, resolveMountpoint } from '../../src/fuse/mountpoint.js'
import { NEEDS, scratch } from '../support/mounting.js'
import { lacks, run } from '../support/tools.js'
import { SERVER, Served, startAt, startServer } from './support/served.js'

test.serial(
  'the kernel of this machine agrees to MiB requests and read-ahead, and each worker gets its clone',
  async t => {
    if (lacks(t, ...NEEDS.kernel)) return
    const { served, first } = await startServer(t, { workers: 2 })
    t.is(first.negotiated!.maxWrite, 1024 * 1024)
    t.true(first.negotiated!.writeback)
    t.is(findMount(served.mountpoint)?.minor, first.connection)
    const readAhead = `/sys/class/bdi/0:${first.connection}/read_ahead_kb`
    if (existsSync(readAhead)) t.is((await readFile(readAhead, 'utf8')).trim(), '1024')
    const { outcomes } = await served.command('unmount')
    t.deepEqual(outcomes, ['unmounted', 'unmounted'])
  },
)

test.serial('an idle mount uses no processor time', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const { served } = await startServer(t, { workers: 4 })
  await readFile(served.disk)
  const ticks = async () => {
    const fields = (await readFile(`/proc/${served.child.pid}/stat`, 'utf8')).split(' ')
    return Number(fields[13]) + Number(fields[14])
  }
  // Not a limit on speed: a worker that never slept would use a hundred ticks a second, without end.
  let before = await ticks()
  for (;;) {
    await new Promise(resolve => setTimeout(resolve, 1000))
    const now = await ticks()
    if (now - before < 20) break
    before = now
  }
  t.pass()
  await served.command('unmount')
})

test.serial('an abort ends the sessions at once, and whoever uses the mount gets an error', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const { served } = await startServer(t)
  const file = await open(served.disk)
  const { outcomes } = await served.command('abort')
  t.true(outcomes!.every(outcome => outcome === 'aborted' || outcome === 'unmounted'))
  await t.throwsAsync(file.read(Buffer.alloc(4096), 0, 4096, 0))
  await t.throwsAsync(file.close(), { code: 'ENOTCONN' })
  t.true(isStale(served.mountpoint) || findMount(served.mountpoint) === null)
  cleanStale(served.mountpoint)
})

test.serial('an abort that comes after the unmount does not end the mount that got its number', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const work = await scratch(t)
  const old = mountKernel({
    mountpoint: await work.directory('old'),
    fsname: 'old',
    readOnly: true,
    allowOther: false,
  })
  handshake(old.fd, 'none')
  old.unmount(true)
  // Numbers are given again from the lowest on; another test of this run may be faster, and leave this one a later.
  const heirs: Served[] = []
  for (let number = 0; number < 40; number++) {
    const heir = startAt(work, await work.directory(`heir${number}`), { workers: 1 })
    t.teardown(() => heir.kill())
    heirs.push(heir)
    if ((await heir.next()).connection === old.connection) break
    t.not(number, 39, 'nobody got the number')
  }
  old.abort()
  for (const heir of heirs) t.is((await readFile(heir.disk)).length, 8 * 1024 * 1024)
  old.close()
  old.abort()
  for (const heir of heirs) t.deepEqual((await heir.command('unmount')).outcomes, ['unmounted'])
})

test.serial(
  'without the control file system an abort works all the same, also of what was detached',
  async t => {
    if (lacks(t, ...NEEDS.kernel, 'unshare')) return
    const work = await scratch(t)
    const script = `
    set -eu
    umount --all --lazy --types fuse.rawmount
    ! mountpoint -q /sys/fs/fuse/connections || umount /sys/fs/fuse/connections
    mkdir "$1/mnt"
    exec "$2" "$3" "{\\"mountpoint\\":\\"$1/mnt\\"}"
  `
    for (const detached of [false, true]) {
      const child = work.start(
        'unshare',
        '--mount',
        'sh',
        '-c',
        script,
        'sh',
        work.path,
        process.execPath,
        SERVER,
      )
      const served = new Served(work.join('mnt'), child, createInterface({ input: child.stdout! }))
      await served.next()
      if (detached) {
        // Its root keeps the mount alive.
        const seen = await open(`/proc/${child.pid}/root${served.mountpoint}/disk.raw`)
        t.teardown(() => seen.close().catch(() => {}))
        served.child.stdin!.write('lazy\n')
      }
      const { outcomes } = await served.command('abort')
      t.true(outcomes!.every(outcome => outcome === 'aborted' || outcome === 'unmounted'))
      await rm(work.join('mnt'), { recursive: true })
    }
  },
)

test.serial('a killed daemon leaves a stale mount, which is cleaned', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const { served, work } = await startServer(t)
  t.false(isStale(served.mountpoint))
  t.false(cleanStale(served.mountpoint))
  await served.kill()
  t.true(isStale(served.mountpoint))
  t.throws(() => checkMountpoint(served.mountpoint), { message: /mounted here already/ })
  t.true(cleanStale(served.mountpoint))
  t.is(findMount(served.mountpoint), null)
  t.is(checkMountpoint(served.mountpoint).path, served.mountpoint)
  const again = startAt(work, served.mountpoint)
  t.teardown(() => again.kill())
  await again.next()
  t.is((await readFile(again.disk)).length, 8 * 1024 * 1024)
  await again.command('unmount')
})

test.serial('a killed daemon of the libfuse transport leaves a stale mount, which is cleaned', async t => {
  if (lacks(t, ...NEEDS.libfuse)) return
  const { served } = await startServer(t, { transport: 'libfuse' })
  await served.kill()
  t.true(cleanStale(served.mountpoint))
  t.is(findMount(served.mountpoint), null)
})

test.serial('a mount point is refused with one line that says what to do', async t => {
  const work = await scratch(t)
  await writeFile(work.join('file'), '')
  await mkdir(work.join('full/child'), { recursive: true })
  const refused = (path: string, message: RegExp) =>
    t.throws(() => checkMountpoint(path), { instanceOf: ImageError, code: 'MOUNT', message })
  refused(work.join('missing'), /missing: no such directory: create it with mkdir$/)
  refused(work.join('missing/deeper'), /no such directory/)
  refused('/dev/null', /null: neither a directory nor a regular file/)
  refused(work.join('file/below'), /below: lies below what is no directory/)
  refused(work.join('full'), /full: not empty: .*-o nonempty/)
  refused('/proc', /\/proc: proc is mounted here already: .*'umount \/proc'/)
  t.deepEqual(checkMountpoint(work.join('full'), true), { path: work.join('full'), isFile: false })
  t.deepEqual(checkMountpoint(work.join('file')), { path: work.join('file'), isFile: true })
})

test.serial('a mount point is named as the mount table names it, through links', async t => {
  const work = await scratch(t)
  const directory = await work.directory('real')
  await symlink(directory, work.join('link'))
  await symlink(work.path, work.join('around'))
  t.is(resolveMountpoint(work.join('link')), directory)
  t.is(resolveMountpoint(work.join('around/real/')), directory)
})

test.serial('a mount on a path with blanks is found', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const work = await scratch(t)
  const served = startAt(work, await work.directory('a b\\c#'))
  t.teardown(() => served.kill())
  await served.next()
  t.is(findMount(served.mountpoint)?.source, 'test, image')
  t.truthy((await served.command('unmount')).outcomes)
})

test.serial('a comma and a backslash in an option are escaped for fusermount3', t => {
  t.is(escapeOption('fsname=/a,b\\c'), 'fsname=/a\\,b\\\\c')
})

test.serial('a missing libfuse names the package to install', t => {
  t.regex(nextStep(new Error('libfuse.so.2: cannot open shared object file')), /install the package libfuse2/)
  t.regex(
    nextStep(Object.assign(new Error(), { code: 'MODULE_NOT_FOUND' })),
    /install libfuse2 and then rawmount/,
  )
  t.regex(nextStep(new Error('No native build was found')), /--transport kernel/)
})

/**
 * A user without rights, in a mount namespace of its own where anyone may reach node and this package. Mounts of other
 * tests are let go there: they would live on, and their daemons with them, for as long as the namespace does.
 */
const ROOM = `
set -eu
umount --all --lazy --types fuse.rawmount
mount --make-rprivate /
mkdir "$WORK/room"
mount -t tmpfs -o mode=755 none "$WORK/room"
cd "$WORK/room"
mkdir package mnt
touch node
mknod -m "$MODE" fuse c 10 229
mount --bind fuse /dev/fuse
mount --bind "$PACKAGE" package
mount --bind "$NODE" node
chown 65534:65534 mnt
as_user() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
serve() { as_user ./node "package/$SERVER" "{\\"mountpoint\\":\\"$WORK/room/mnt\\"}"; }
`

const EXERCISE = `
tail -f /dev/null | serve > output 2>&1 &
server=$!
for i in $(seq 400); do grep -q . output && break; sleep 0.05; done
head -c 100000 /dev/urandom > data
chmod 644 data
as_user dd if=data of=mnt/disk.raw conv=notrunc,fsync status=none
as_user head -c 100000 mnt/disk.raw | cmp - data && echo same
cat mnt/disk.raw > /dev/null 2>&1 || echo private
as_user fusermount3 -u mnt
wait $server
cat output
`

test.serial('a user without rights mounts through fusermount3, for no one else, and gets clones', async t => {
  if (lacks(t, 'root', 'unshare', 'setpriv', 'fusermount3')) return
  const { code, stdout, stderr } = await inRoom(t, '666', EXERCISE)
  t.is(code, 0, stdout + stderr)
  t.regex(stdout, /^same\nprivate\n.*"maxWrite":1048576.*\n.*"outcomes":\["unmounted","unmounted"\]/)
})

test.serial('a user who may not open /dev/fuse is told so', async t => {
  if (lacks(t, 'root', 'unshare', 'setpriv', 'fusermount3')) return
  const { stdout } = await inRoom(t, '600', 'exec < /dev/null; serve 2>&1 || true')
  t.regex(
    stdout,
    /fusermount3 refused: .*\/dev\/fuse: Permission denied: allow it with 'chmod 666 \/dev\/fuse'/,
  )
})

test.serial('a user whom libfuse refuses is told why, though its own words go nowhere', async t => {
  if (lacks(t, 'root', 'unshare', 'setpriv', 'fusermount', 'libfuse.so.2')) return
  const script = `exec < /dev/null
    ./node package/dist/bin/rawmount.js create -q -f qed disk.qed 1M
    chmod 666 disk.qed
    as_user ./node package/dist/bin/rawmount.js mount --transport libfuse disk.qed mnt 2>&1 || true`
  const { stdout } = await inRoom(t, '600', script)
  t.regex(
    stdout,
    /^rawmount: [^\n]*mnt: libfuse could not mount: .*\/dev\/fuse: Permission denied: allow it with 'chmod 666 \/dev\/fuse', or mount as root\n$/,
  )
})

test.serial('without fusermount3 a user is told what to install', async t => {
  if (lacks(t, 'root', 'unshare', 'setpriv')) return
  const hide = 'touch empty; for f in /usr/bin/fusermount*; do mount --bind empty $f; done'
  const { stdout, stderr } = await inRoom(t, '666', `${hide}\nexec < /dev/null; serve 2>&1 || true`)
  t.regex(stdout + stderr, /mounting without being root needs fusermount3: install the package fuse3/)
})

test.serial('a user who may not mount there is told what fusermount3 says', async t => {
  if (lacks(t, 'root', 'unshare', 'setpriv', 'fusermount3')) return
  const { stdout } = await inRoom(t, '666', 'chown 0:0 mnt\nexec < /dev/null; serve 2>&1 || true')
  t.regex(
    stdout,
    /mnt: fusermount3 refused: user has no write access to mountpoint .*: mount on a directory of your own/,
  )
})

async function inRoom(t: ExecutionContext, mode: string, script: string) {
  const work = await scratch(t)
  await chmod(work.path, 0o755)
  await writeFile(work.join('script'), ROOM + script)
  const root = fileURLToPath(new URL('../../../', import.meta.url))
  const options = ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc']
  return run('unshare', [...options, 'bash', work.join('script')], {
    cwd: work.path,
    limit: 60_000,
    env: {
      WORK: work.path,
      PACKAGE: root,
      SERVER: SERVER.slice(root.length),
      NODE: await realpath(process.execPath),
      MODE: mode,
    },
  })
}
