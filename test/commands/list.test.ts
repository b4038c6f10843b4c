import { readdir, readFile, writeFile } from 'node:fs/promises'
import test from 'ava'
import { NEEDS, type Scratch, scratch } from '../support/mounting.js'
import { lacks, until } from '../support/tools.js'

interface Listed {
  readonly mountpoint: string
  readonly image: string
  readonly readOnly: boolean
  readonly state: string
  readonly pid: number | null
  readonly transport: string | null
  readonly images: readonly object[] | null
}

/** The machine may have other mounts, too. */
async function listed(work: Scratch): Promise<Listed[]> {
  const all = JSON.parse(await work.rawmounts('list', '--output', 'json')) as Listed[]
  return all.filter(({ mountpoint }) => mountpoint.startsWith(work.path))
}

test('list shows each mount with its image, state and process, in the order of mounting', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const work = await scratch(t)
  const a = await work.mountAt('a', await work.create('a.qed', '1M'))
  const b = await work.mountAt('b b', await work.create('b b.qed', '1M'), '-r')
  const [first, second] = [await a.status(), await b.status()]
  // A busy machine may leave a mount no second to answer in.
  await until(async () => (await listed(work)).every(({ state }) => state === 'serving'))
  t.deepEqual(await listed(work), [
    {
      mountpoint: a.mountpoint,
      image: a.image,
      readOnly: false,
      state: 'serving',
      pid: first.pid,
      transport: 'kernel',
      images: [{ image: a.image, overlay: null, readOnly: false, folder: null }],
    },
    {
      mountpoint: b.mountpoint,
      image: b.image,
      readOnly: true,
      state: 'serving',
      pid: second.pid,
      transport: 'kernel',
      images: [{ image: b.image, overlay: null, readOnly: true, folder: null }],
    },
  ])
  const lines = (await work.rawmounts('list')).split('\n')
  t.regex(lines[0]!, /^MOUNTPOINT +IMAGE +MODE +STATE +PID$/)
  const words = lines.filter(line => line.startsWith(work.path)).map(line => line.split(/ {2,}/))
  t.deepEqual(words, [
    [a.mountpoint, a.image, 'rw', 'serving', `${first.pid}`],
    [b.mountpoint, b.image, 'ro', 'serving', `${second.pid}`],
  ])
  await a.unmount()
  await b.unmount()
  t.deepEqual(await listed(work), [])
})

test('list tells a dead mount and a silent one, and waits for neither', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const work = await scratch(t)
  const dead = await work.mountAt('dead', await work.create('a.qed', '1M'))
  const silent = await work.mountAt('silent', await work.create('b.qed', '1M'))
  const alive = await work.mountAt('alive', await work.create('c.qed', '1M'))
  const { pid: killed } = await dead.status()
  const { pid } = await silent.status()
  process.kill(killed, 'SIGKILL')
  await until(async () => !(await work.processes(0)).includes(killed))
  process.kill(pid, 'SIGSTOP')
  try {
    const mounts = await listed(work)
    t.like(mounts[0], { mountpoint: dead.mountpoint, state: 'dead', pid: null, transport: null })
    t.like(mounts[1], { mountpoint: silent.mountpoint, state: 'silent', transport: null, images: null })
    t.is(mounts[1]!.pid, (await kernelTells(pid)) ? pid : null)
    t.like(mounts[2], { mountpoint: alive.mountpoint, state: 'serving' })
  } finally {
    process.kill(pid, 'SIGCONT')
  }
  for (const mount of [dead, silent, alive]) await mount.unmount()
})

test('list names each image of a mount of several, and finds a disk that is mounted over a file', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const work = await scratch(t)
  const [a, b] = [await work.create('a.qed', '1M'), await work.create('b.qed', '1M')]
  const several = await work.directory('several')
  await work.rawmounts('mount', a, b, several)
  const file = work.join('file')
  await writeFile(file, '')
  await work.rawmounts('mount', '--overlay', 'temp', await work.create('c.qed', '1M'), file)
  const [first, second] = await listed(work)
  t.like(first, { mountpoint: several, image: '2 images', state: 'serving' })
  const image = (path: string, folder: string) => ({ image: path, overlay: null, readOnly: false, folder })
  t.deepEqual(first!.images, [image(a, 'a'), image(b, 'b')])
  t.like(second, { mountpoint: file, image: work.join('c.qed'), state: 'serving' })
  t.deepEqual(second!.images, [{ image: work.join('c.qed'), overlay: 'temp', readOnly: false, folder: null }])
  await work.rawmounts('umount', several)
  await work.rawmounts('umount', file)
})

/** Whether the kernel notes the connection of a descriptor of /dev/fuse, as it does since Linux 6.16. */
async function kernelTells(pid: number): Promise<boolean> {
  const descriptors = await readdir(`/proc/${pid}/fdinfo`)
  const texts = await Promise.all(descriptors.map(fd => readFile(`/proc/${pid}/fdinfo/${fd}`, 'utf8')))
  return texts.some(text => text.includes('fuse_connection:'))
}
