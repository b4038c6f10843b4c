import { readFile, symlink } from 'node:fs/promises'
import { delimiter } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { mountpointsBelow, PROGRAM, type Scratch, scratch } from '../support/mounting.js'
import { lacks, run } from '../support/tools.js'
import { complains } from './support/complaint.js'

/** `rawmount IMAGE MOUNTPOINT -o …`, as mount(8), its helpers and fstab call it. */
async function prepare(t: ExecutionContext) {
  const work = await scratch(t)
  const image = await work.create('a.qed', '1M')
  return { work, image, mountpoint: await work.directory('mnt') }
}

async function mountedAs(mountpoint: string): Promise<string[]> {
  const table = await readFile('/proc/self/mounts', 'utf8')
  const line = table.split('\n').find(line => line.split(' ')[1] === mountpoint) ?? ''
  return [line.split(' ')[2] ?? '', line.split(' ')[3]?.split(',')[0] ?? '']
}

/** The program under another name, found by PATH. */
async function link(work: Scratch, name: string): Promise<{ path: string; env: NodeJS.ProcessEnv }> {
  await work.directory('bin')
  await symlink(PROGRAM, work.join(`bin/${name}`))
  return {
    path: work.join(`bin/${name}`),
    env: { PATH: [work.join('bin'), process.env.PATH].join(delimiter), RAWMOUNT_TEST_DIRECTORY: work.path },
  }
}

test('an image and a mount point without a command are mounted', async t => {
  if (lacks(t, 'root')) return
  const { work, image, mountpoint } = await prepare(t)
  await work.rawmounts(image, mountpoint, '-o', 'ro,nofail,x-systemd.automount,threads=1')
  t.deepEqual(await mountedAs(mountpoint), ['fuse.rawmount', 'ro'])
  await work.rawmounts('umount', mountpoint)
  await work.rawmounts('-o', 'rw', image, mountpoint)
  t.deepEqual(await mountedAs(mountpoint), ['fuse.rawmount', 'rw'])
  await work.rawmounts('umount', mountpoint)
})

test('mount.fuse3, which mount -t fuse.rawmount calls, mounts an image', async t => {
  if (lacks(t, 'root', 'mount.fuse3')) return
  const { work, image, mountpoint } = await prepare(t)
  const { env } = await link(work, 'rawmount')
  const { code, stderr } = await run('mount.fuse3', [`rawmount#${image}`, mountpoint, '-o', 'ro,nodev'], {
    env,
  })
  t.is(code, 0, stderr)
  t.deepEqual(await mountedAs(mountpoint), ['fuse.rawmount', 'ro'])
  await work.rawmounts('umount', mountpoint)
})

test('as mount.rawmount it takes the letters of mount helpers, where -f only pretends', async t => {
  if (lacks(t, 'root')) return
  const { work, image, mountpoint } = await prepare(t)
  const { path, env } = await link(work, 'mount.rawmount')
  const helper = (...args: string[]) => run(process.execPath, [path, ...args], { env })
  t.is((await helper(image, mountpoint, '-f', '-o', 'rw')).code, 0)
  t.deepEqual(await mountpointsBelow(work.path), [])
  t.like(await helper(work.join('none.qed'), mountpoint, '-f', '-o', 'rw'), {
    code: 32,
    stderr: `rawmount: ${work.join('none.qed')}: no such file\n`,
  })
  complains(t, await helper(image, mountpoint, '-f', '-o', 'rx'), 'rx')
  const words = ['-n', '-v', '-s', '-t', 'fuse.rawmount', '-o', 'ro,unheard_of=1']
  t.is((await helper(image, mountpoint, ...words)).code, 0)
  t.deepEqual(await mountedAs(mountpoint), ['fuse.rawmount', 'ro'])
  await work.rawmounts('umount', mountpoint)
})

test('a mount that cannot be is refused, and nothing is mounted', async t => {
  const { work, image, mountpoint } = await prepare(t)
  complains(t, await work.rawmount(work.join('none.qed'), mountpoint), 'none.qed', 'does not exist')
  complains(t, await work.rawmount(image, mountpoint, '-o', 'thraeds=2'), "did you mean 'threads'?")
  complains(t, await work.rawmount(image), 'MOUNTPOINT is missing')
  complains(t, await work.rawmount(image, mountpoint, 'more'), "unexpected argument 'more'")
  t.deepEqual(await mountpointsBelow(work.path), [])
})
