import { once } from 'node:events'
import test from 'ava'
import { type Scratch, scratch } from '../support/mounting.js'
import { lacks, run, until } from '../support/tools.js'

/** Two programs never write one image: rawmount and QEMU keep each other out, both ways. */

test('an image that is mounted cannot be mounted or checked for repair again', async t => {
  if (lacks(t, 'root')) return
  const work = await scratch(t)
  const image = await work.create('disk.qed', '16M')
  const mounted = await work.mount(image)
  const other = await work.directory('other')
  for (const [said, ...args] of [
    [
      'another program (a virtual machine, or another rawmount); stop it first, or mount with -r',
      'mount',
      image,
      other,
    ],
    ['another program', 'mount', '-r', image, other],
    ['is in use by process', 'check', '-r', 'all', image],
  ] as const) {
    const outcome = await work.rawmount(...args)
    t.is(outcome.code, 1, args.join(' '))
    t.regex(outcome.stderr, /^rawmount: [^\n]+\n$/)
    t.true(outcome.stderr.includes(image) && outcome.stderr.includes(said), outcome.stderr)
  }
  await mounted.unmount()
  const again = await work.mountAt('other', image)
  await again.unmount()
})

test('QEMU refuses an image that is mounted for writing, and its backing file for writing', async t => {
  if (lacks(t, 'root', 'qemu-img', 'qemu-io')) return
  const work = await scratch(t)
  const base = await work.create('base.qed', '16M')
  const image = await work.create('disk.qed', '-b', 'base.qed', '-F', 'qed')
  const mounted = await work.mount(image)
  const writing = await run('qemu-io', ['-f', 'qed', '-c', 'write 0 64k', image])
  t.not(writing.code, 0)
  t.regex(writing.stderr, /lock/)
  const reading = await run('qemu-img', ['check', image])
  t.not(reading.code, 0)
  t.regex(reading.stderr, /lock/)
  const writingBase = await run('qemu-io', ['-f', 'qed', '-c', 'write 0 64k', base])
  t.not(writingBase.code, 0)
  t.regex(writingBase.stderr, /lock/)
  const readingBase = await run('qemu-io', ['-r', '-f', 'qed', '-c', 'read 0 64k', base])
  t.is(readingBase.code, 0, readingBase.stderr)
  await mounted.unmount()
  t.is((await run('qemu-io', ['-f', 'qed', '-c', 'write 0 64k', image])).code, 0)
})

test('an image that QEMU writes is refused, read-only too, with an error that names it', async t => {
  if (lacks(t, 'root', 'qemu-storage-daemon')) return
  const work = await scratch(t)
  const image = await work.create('disk.qed', '16M')
  const mountpoint = await work.directory('mnt')
  const daemon = await holdByQemu(work, image, false)
  for (const options of [[], ['-r']]) {
    const outcome = await work.rawmount('mount', ...options, image, mountpoint)
    t.is(outcome.code, 1)
    t.regex(outcome.stderr, /^rawmount: [^\n]+\n$/)
    t.true(outcome.stderr.includes(image) && outcome.stderr.includes('another program'), outcome.stderr)
  }
  daemon.kill('SIGKILL')
  await once(daemon, 'close')
  const mounted = await work.mount(image)
  await mounted.unmount()
})

test('who reads only, shares: two read-only mounts and QEMU at once', async t => {
  if (lacks(t, 'root', 'qemu-img', 'qemu-storage-daemon')) return
  const work = await scratch(t)
  const image = await work.create('disk.qed', '16M')
  const daemon = await holdByQemu(work, image, true)
  const first = await work.mountAt('first', image, '-r')
  const second = await work.mountAt('second', image, '-r')
  t.is((await run('qemu-img', ['check', image])).code, 0)
  const writing = await work.rawmount('mount', image, await work.directory('third'))
  t.is(writing.code, 1, 'a writer is kept out while others read')
  await first.unmount()
  await second.unmount()
  daemon.kill('SIGKILL')
  await once(daemon, 'close')
})

/** A QEMU that has the image open; resolves when it has. */
async function holdByQemu(work: Scratch, image: string, readOnly: boolean) {
  const node = `driver=qed,node-name=disk,read-only=${readOnly ? 'on' : 'off'},file.driver=file,file.filename=${image}`
  const socket = work.join('qemu.sock')
  const server = `nbd-server,addr.type=unix,addr.path=${socket}`
  const exported = `type=nbd,id=export,node-name=disk,writable=${readOnly ? 'off' : 'on'}`
  const ready = work.join('qemu.pid')
  const daemon = work.start(
    'qemu-storage-daemon',
    ...['--blockdev', node, '--nbd-server', server.replace('nbd-server,', ''), '--export', exported],
    ...['--pidfile', ready],
  )
  const listening = async (): Promise<boolean> => (await run('test', ['-s', ready])).code === 0
  await until(async () => daemon.exitCode !== null || (await listening()))
  if (daemon.exitCode !== null) throw new Error(`qemu-storage-daemon ended: ${daemon.stderr!.read()}`)
  return daemon
}
