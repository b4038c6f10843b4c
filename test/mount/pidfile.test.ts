import { readdir, readFile, writeFile } from 'node:fs/promises'
import test, { type ExecutionContext } from 'ava'
import { complains } from '../commands/support/complaint.js'
import { NEEDS, PROGRAM, scratch } from '../support/mounting.js'
import { collect, lacks, until } from '../support/tools.js'

async function prepare(t: ExecutionContext) {
  const work = await scratch(t)
  return { work, image: await work.create('a.qed', '1M'), pidfile: work.join('a.pid') }
}

test('the pidfile has the number of the daemon, and goes with the mount', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const { work, image, pidfile } = await prepare(t)
  const mount = await work.mount(image, '--pidfile', pidfile)
  t.is(await readFile(pidfile, 'utf8'), `${(await mount.status()).pid}\n`)
  await mount.unmount()
  t.deepEqual((await readdir(work.path)).sort(), ['a.qed', 'mnt'])
})

test('a mount in front keeps a pidfile, too, and SIGTERM takes it away', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const { work, image, pidfile } = await prepare(t)
  const mnt = await work.directory('mnt')
  const child = work.start(process.execPath, PROGRAM, 'mount', '-f', '--pidfile', pidfile, image, mnt)
  const outcome = collect(child)
  // Never seen half written.
  await until(() =>
    readFile(pidfile, 'utf8').then(
      text => text === `${child.pid}\n` || Promise.reject(text),
      () => false,
    ),
  )
  child.kill('SIGTERM')
  t.is((await outcome).code, 0)
  t.deepEqual((await readdir(work.path)).sort(), ['a.qed', 'mnt'])
})

test('a pidfile whose process lives is refused, one that a crash left behind is taken over', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const { work, image, pidfile } = await prepare(t)
  const other = await work.create('b.qed', '1M')
  const mount = await work.mount(image, '--pidfile', pidfile)
  const { pid } = await mount.status()
  const mnt = await work.directory('other')
  complains(
    t,
    await work.rawmount('mount', '--pidfile', pidfile, other, mnt),
    `process ${pid} keeps this pidfile`,
  )
  process.kill(pid, 'SIGKILL')
  await until(async () => (await work.processes(0)).length === 0)
  t.is(await readFile(pidfile, 'utf8'), `${pid}\n`)
  await work.rawmounts('mount', '--pidfile', pidfile, other, mnt)
  t.not(await readFile(pidfile, 'utf8'), `${pid}\n`)
  await work.rawmounts('umount', mnt)
  await mount.unmount()
  t.deepEqual((await readdir(work.path)).sort(), ['a.qed', 'b.qed', 'mnt', 'other'])
})

test('what is no pidfile, and what cannot be one, is left alone, and nothing is mounted', async t => {
  const { work, image } = await prepare(t)
  const mnt = await work.directory('mnt')
  await writeFile(work.join('letter'), 'Dear Sir')
  const refused = async (pidfile: string, ...words: string[]) =>
    complains(t, await work.rawmount('mount', '--pidfile', work.join(pidfile), image, mnt), ...words)
  await refused('letter', 'letter', 'is no pidfile')
  await refused('mnt', 'mnt', 'is no pidfile')
  await refused('no/a.pid', 'no such directory', 'mkdir')
  await refused('letter/a.pid', 'the pidfile cannot be made (ENOTDIR)')
  t.is(await readFile(work.join('letter'), 'utf8'), 'Dear Sir')
  t.deepEqual((await readdir(work.path)).sort(), ['a.qed', 'letter', 'mnt'])
})

test('a mount that cannot be made leaves no pidfile', async t => {
  const { work, pidfile } = await prepare(t)
  const mnt = await work.directory('mnt')
  for (const more of [[], ['-f']]) {
    complains(
      t,
      await work.rawmount('mount', ...more, '--pidfile', pidfile, work.join('no.qed'), mnt),
      'no.qed',
    )
    t.deepEqual((await readdir(work.path)).sort(), ['a.qed', 'mnt'])
  }
})
