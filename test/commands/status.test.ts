import { writeFile } from 'node:fs/promises'
import test from 'ava'
import { NEEDS, PROGRAM, type Scratch, scratch } from '../support/mounting.js'
import { collect, lacks, until } from '../support/tools.js'
import { complains } from './support/complaint.js'

const MiB = 1024 * 1024

/** An FVD image on a base of 2 MiB, mounted. */
async function mounted(work: Scratch, ...options: string[]) {
  await writeFile(work.join('base.raw'), Buffer.alloc(2 * MiB, 7))
  const image = work.join('vm.fvd')
  await work.rawmounts('create', '-q', '-f', 'fvd', '-b', 'base.raw', '-F', 'raw', image)
  return work.mount(image, ...options)
}

async function json(work: Scratch, mountpoint: string) {
  return JSON.parse(await work.rawmounts('status', '--output=json', mountpoint))
}

test('status shows what a mount serves and how its image is filled', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const work = await scratch(t)
  const mount = await mounted(work, '--prefetch=on')
  await until(async () => (await mount.status()).prefetch.state === 'done')
  const text = await work.rawmounts('status', mount.mountpoint)
  t.regex(
    text,
    /^image +\S+vm\.fvd \(fvd, 2 MiB\)\nbase +\S+base\.raw \(raw\)\nmounted on +\S+mnt, \d+ s ago$/m,
  )
  t.regex(text, /^in the image +\[=+\] 100% +2 MiB of 2 MiB\nstill in base +0 B$/m)
  t.regex(text, /^prefetch +done +2 MiB copied$/m)
  const status = await json(work, mount.mountpoint)
  t.like(status, { image: mount.image, format: 'fvd', prefetch: { state: 'done', copied: 2 * MiB } })
  t.like(status, { base: { remaining: 0, total: 2 * MiB, read: 2 * MiB } })
  t.deepEqual(Object.keys(status.rates), ['requests', 'read', 'written', 'base'])
  // Programs find all of it in the file, too, but for the rates.
  t.deepEqual(Object.keys(await mount.status()), Object.keys(status).slice(0, -2))
  await mount.unmount()
})

test('status of a mount that copies nothing says so', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const work = await scratch(t)
  const mount = await mounted(work, '-r')
  const off = { prefetch: { state: 'off' }, copyOnRead: { on: false }, base: null }
  t.like(await json(work, mount.mountpoint), off)
  t.notRegex(await work.rawmounts('status', mount.mountpoint), /prefetch|written/)
  await mount.unmount()
})

test('status --watch adds a line each second, and ends with the unmount', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const work = await scratch(t)
  const mount = await mounted(work, '--copy-on-read=on')
  const watch = work.start(process.execPath, PROGRAM, 'status', '--watch', mount.mountpoint)
  const outcome = collect(watch)
  let said = ''
  watch.stdout!.on('data', text => {
    said += text
  })
  await until(() => said.split('\n').length > 2)
  // The watcher may be looking in that very moment, which makes the mount busy.
  await until(async () => (await work.rawmount('umount', mount.mountpoint)).code === 0)
  const { code, stdout, stderr } = await outcome
  t.is(code, 0, stderr)
  const lines = stdout.trimEnd().split('\n')
  t.is(lines.pop(), `${mount.mountpoint}: unmounted`)
  for (const line of lines) {
    t.regex(line, /^\d\d:\d\d:\d\d {2}\d+ requests\/s, .* read, .* written, prefetch off, 0%, .* from base$/)
  }
})

test('status --watch draws in place on a terminal', async t => {
  if (lacks(t, ...NEEDS.kernel, 'script')) return
  const work = await scratch(t)
  const mount = await mounted(work)
  const command = `'${process.execPath}' '${PROGRAM}' status --watch '${mount.mountpoint}'`
  const watch = work.start('script', '-qec', command, '/dev/null')
  const outcome = collect(watch)
  let said = ''
  watch.stdout!.on('data', text => {
    said += text
  })
  // The cursor goes back to the first line.
  await until(() => /^\[\d+Aimage /m.test(said.replaceAll('\r\x1b', '\n')))
  await until(async () => (await work.rawmount('umount', mount.mountpoint)).code === 0)
  const { code, stdout } = await outcome
  t.is(code, 0)
  t.true(stdout.trimEnd().endsWith('unmounted'))
})

test('status of what is no mount of an image is refused in one line, as umount does', async t => {
  const work = await scratch(t)
  const plain = await work.directory('plain')
  for (const command of ['status', 'umount']) {
    complains(
      t,
      await work.rawmount(command, plain),
      plain,
      'nothing is mounted here',
      'findmnt -t fuse.rawmount',
    )
    complains(
      t,
      await work.rawmount(command, work.join('no')),
      work.join('no'),
      'does not exist: check the name',
    )
    complains(t, await work.rawmount(command, '/dev/null/no'), 'no directory: check the name')
    complains(t, await work.rawmount(command, '/proc'), '/proc', 'of type proc')
  }
})

test('status of a mount whose daemon is dead says how to take it away', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const work = await scratch(t)
  const mount = await mounted(work)
  process.kill((await mount.status()).pid, 'SIGKILL')
  await until(async () => (await work.processes(0)).length === 0)
  const { mountpoint } = mount
  complains(t, await work.rawmount('status', mountpoint), 'is dead', `'rawmount umount ${mountpoint}'`)
  await mount.unmount()
})
