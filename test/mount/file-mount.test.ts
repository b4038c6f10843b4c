import { readFile, stat, truncate, writeFile } from 'node:fs/promises'
import test from 'ava'
import { mountpointsBelow, NEEDS, scratch } from '../support/mounting.js'
import { lacks, succeed } from '../support/tools.js'

/** A disk that is mounted over a regular file. */
const MiB = 1024 * 1024

test('mounted over a file, the disk has the path of the file, and the file comes back', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const work = await scratch(t)
  const image = await work.create('vm.qed', '64M')
  const file = work.join('disk.img')
  await writeFile(file, 'what was here')
  await work.rawmounts('mount', image, file)
  t.like(await stat(file), { size: 64 * MiB })
  await succeed('mkfs.ext4', '-q', '-F', file)
  await succeed('e2fsck', '-fn', file)
  const status = JSON.parse(await work.rawmounts('status', '--output', 'json', file))
  t.like(status, { image, mountpoint: file, cache: 'writethrough' })
  await work.rawmounts('umount', file)
  t.is(await readFile(file, 'utf8'), 'what was here')
  await work.rawmounts('mount', '-r', image, file)
  await succeed('e2fsck', '-fn', file)
  t.is((await stat(file)).mode & 0o777, 0o400)
  await work.rawmounts('umount', file)
})

test('an image is mounted over its own file, and is an image again afterwards', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const work = await scratch(t)
  for (const format of ['qed', 'fvd'] as const) {
    const image = await work.create(`vm.${format}`, '-f', format, '16M')
    await work.rawmounts('mount', image, image)
    await writeFile(image, Buffer.alloc(MiB, 5), { flag: 'r+' })
    t.true((await readFile(image)).subarray(0, MiB).equals(Buffer.alloc(MiB, 5)))
    await work.rawmounts('umount', image)
    await work.rawmounts('check', '-q', image)
    const mounted = await work.mount(image, '-r')
    t.true((await readFile(mounted.disk)).subarray(0, MiB).equals(Buffer.alloc(MiB, 5)))
    await mounted.unmount()
  }
})

test('a loop device on a disk over a file works', async t => {
  if (lacks(t, ...NEEDS.kernel, 'losetup', 'mkfs.ext4')) return
  const work = await scratch(t)
  const image = await work.create('vm.qed', '64M')
  const file = work.join('disk.img')
  await writeFile(file, '')
  await work.rawmounts('mount', image, file)
  const loop = await work.loop(file)
  await succeed('mkfs.ext4', '-q', loop)
  const inside = await work.mountDevice(loop, 'inside')
  await writeFile(`${inside}/hello`, 'world')
  await succeed('umount', inside)
  t.regex(await succeed('debugfs', '-R', 'cat /hello', loop), /world/)
  await work.detach(loop)
  await work.rawmounts('umount', file)
  await work.rawmounts('check', '-q', image)
})

test('umount of a busy image that is mounted over itself does not name its own server', async t => {
  if (lacks(t, ...NEEDS.kernel, 'losetup')) return
  const work = await scratch(t)
  const image = await work.create('vm.qed', '16M')
  await work.rawmounts('mount', image, image)
  const loop = await work.loop(image)
  t.like(await work.rawmount('umount', image), {
    code: 1,
    stderr: `rawmount: ${image}: is in use by ${loop}; end that first\n`,
  })
  await work.detach(loop)
  await work.rawmounts('umount', image)
})

test('a disk over a file does not change its size, and is no directory', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const work = await scratch(t)
  const file = work.join('disk.img')
  await writeFile(file, '')
  await work.rawmounts('mount', await work.create('vm.qed', '16M'), file)
  await t.throwsAsync(truncate(file, MiB), { code: 'EINVAL' })
  await t.throwsAsync(stat(`${file}/disk.raw`), { code: 'ENOTDIR' })
  await work.rawmounts('umount', file)
})

test('several images, and libfuse, are refused over a file', async t => {
  if (lacks(t, ...NEEDS.libfuse)) return
  const work = await scratch(t)
  const [one, other] = [await work.create('a.qed', '1M'), await work.create('b.qed', '1M')]
  const file = work.join('disk.img')
  await writeFile(file, '')
  t.like(await work.rawmount('mount', one, other, file), {
    code: 1,
    stderr: `rawmount: ${file}: is a file, and several images need a directory; mount on a directory\n`,
  })
  t.like(await work.rawmount('mount', '--transport', 'libfuse', one, file), {
    code: 1,
    stderr: `rawmount: ${file}: libfuse 2 mounts on directories only: mount on one, or use --transport kernel\n`,
  })
  t.deepEqual(await mountpointsBelow(work.path), [])
})

test('the stale mount of a killed daemon over a file is taken away by the next mount', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const work = await scratch(t)
  const image = await work.create('vm.qed', '16M')
  const file = work.join('disk.img')
  await writeFile(file, '')
  await work.rawmounts('mount', image, file)
  const { pid } = JSON.parse(await work.rawmounts('status', '--output', 'json', file))
  process.kill(pid, 'SIGKILL')
  await work.processes(5000)
  const { code } = (await t.throwsAsync(readFile(file))) as NodeJS.ErrnoException
  t.true(['ENOTCONN', 'ECONNABORTED'].includes(code!), code)
  await work.rawmounts('mount', image, file)
  t.is((await stat(file)).size, 16 * MiB)
  await work.rawmounts('umount', file)
})
