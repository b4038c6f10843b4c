import { readFile, writeFile } from 'node:fs/promises'
import test from 'ava'
import { mountpointsBelow, NEEDS, PROGRAM, type Scratch, scratch, TRANSPORTS } from '../support/mounting.js'
import { pattern } from '../support/pattern.js'
import { collect, lacks, run, succeed, until } from '../support/tools.js'

/** Mounts whose writes go to the base, too, as a user makes them. */
const MIB = 1 << 20

async function make(work: Scratch, size = 4): Promise<{ image: string; base: string; bytes: Buffer }> {
  const base = work.join('base.raw')
  const bytes = Buffer.from(pattern(0, size * MIB, 1, 1))
  await writeFile(base, bytes)
  return { image: await work.create('disk.qed', '-b', 'base.raw', '-F', 'raw'), base, bytes }
}

async function put(work: Scratch, disk: string, bytes: Uint8Array, seek: number): Promise<void> {
  await writeFile(work.join('data'), bytes)
  await succeed(
    'dd',
    `if=${work.join('data')}`,
    `of=${disk}`,
    'bs=4096',
    `seek=${seek}`,
    'conv=notrunc,fsync',
    'status=none',
  )
}

for (const transport of TRANSPORTS) {
  test(`${transport}: with --write-base=writethrough the base has a write when its fsync returns, also when the daemon is killed then`, async t => {
    if (lacks(t, ...NEEDS[transport])) return
    const work = await scratch(t)
    const { image, base, bytes } = await make(work)
    const mounted = await work.mount(image, '--transport', transport, '--write-base', 'writethrough')
    const data = Buffer.from(pattern(0, MIB + 4096, 2, 0))
    await put(work, mounted.disk, data, 100)
    data.copy(bytes, 100 * 4096)
    t.true((await readFile(base)).equals(bytes))
    process.kill((await mounted.status()).pid, 'SIGKILL')
    t.true((await readFile(base)).equals(bytes))
    await work.rawmount('umount', mounted.mountpoint)
    const again = await work.mount(image, '--transport', transport)
    t.true((await readFile(again.disk)).equals(bytes))
    await again.unmount()
  })
}

test('with --write-base=writeback the base has everything after the unmount, and most of it before', async t => {
  if (lacks(t, 'root')) return
  const work = await scratch(t)
  const { image, base, bytes } = await make(work)
  const mounted = await work.mount(image, '-o', 'write_base=writeback')
  const data = Buffer.from(pattern(0, 2 * MIB, 2, 0))
  await put(work, mounted.disk, data, 10)
  data.copy(bytes, 10 * 4096)
  await until(async () => (await readFile(base)).equals(bytes))
  await put(work, mounted.disk, data.subarray(0, 8192), 900)
  data.copy(bytes, 900 * 4096, 0, 8192)
  await mounted.unmount()
  t.true((await readFile(base)).equals(bytes))
})

test('a base that writes go to is locked: QEMU and rawmount can neither read nor write it', async t => {
  if (lacks(t, 'root', 'qemu-io')) return
  const work = await scratch(t)
  const { image, base } = await make(work)
  const mounted = await work.mount(image, '--write-base', 'writethrough')
  for (const command of ['write 0 64k', 'read 0 64k']) {
    const outcome = await run('qemu-io', ['-f', 'raw', '-c', command, base])
    t.not(outcome.code, 0)
    t.regex(outcome.stderr, /lock/)
  }
  const outcome = await work.rawmount('mount', '--format', 'raw', '-r', base, await work.directory('second'))
  t.is(outcome.code, 1)
  t.true(outcome.stderr.includes('another program'), outcome.stderr)
  await mounted.unmount()
  await succeed('qemu-io', '-f', 'raw', '-c', 'write 0 64k', base)
})

test('an unmount that cannot bring the base up to date fails with words, and loses nothing; with space again it goes on', async t => {
  if (lacks(t, 'root')) return
  const work = await scratch(t)
  const small = await work.directory('small')
  await succeed('mount', '-t', 'tmpfs', '-o', 'size=1M', 'none', small)
  const base = work.join('small/base.raw')
  await succeed('truncate', '-s', '4M', base)
  const image = await work.create('disk.qed', '-b', base, '-F', 'raw')
  const mounted = await work.mount(image, '--write-base', 'writeback')
  const data = Buffer.from(pattern(0, 2 * MIB, 2, 0))
  await put(work, mounted.disk, data, 0)
  const outcome = await work.rawmount('umount', mounted.mountpoint)
  t.is(outcome.code, 1)
  t.is(
    outcome.stderr,
    `rawmount: ${mounted.mountpoint}: the base ${base} has not got everything that was written: no space left on device (ENOSPC); it stays mounted: put the storage right, wait a minute, and unmount again\n`,
  )
  await succeed('mount', '-o', 'remount,size=20M', small)
  await until(async () => (await mounted.status()).baseWrites?.behind === 0)
  await mounted.unmount()
  t.true((await readFile(base)).subarray(0, 2 * MIB).equals(data))
})

test('a daemon that ends while the base takes nothing says so, exits with 1, and the next mount brings the base up to date', async t => {
  if (lacks(t, 'root')) return
  const work = await scratch(t)
  const small = await work.directory('small')
  await succeed('mount', '-t', 'tmpfs', '-o', 'size=1M', 'none', small)
  const base = work.join('small/base.raw')
  await succeed('truncate', '-s', '4M', base)
  const image = await work.create('disk.qed', '-b', base, '-F', 'raw')
  const mountpoint = await work.directory('mnt')
  const child = work.start(
    process.execPath,
    PROGRAM,
    'mount',
    '-f',
    '--write-base',
    'writeback',
    image,
    mountpoint,
  )
  const ended = collect(child)
  await until(async () => (await mountpointsBelow(work.path)).includes(mountpoint))
  const data = Buffer.from(pattern(0, 2 * MIB, 2, 0))
  await put(work, work.join('mnt/disk.raw'), data, 0)
  child.kill('SIGTERM')
  const outcome = await ended
  t.is(outcome.code, 1)
  t.true(
    outcome.stderr.includes(`rawmount: ${base}: has not got everything that was written: `),
    outcome.stderr,
  )
  await succeed('mount', '-o', 'remount,size=20M', small)
  const again = await work.mount(image, '--write-base', 'writeback')
  t.true((await readFile(base)).subarray(0, 2 * MIB).equals(data))
  await again.unmount()
})

test('--write-base is refused with words where it cannot be', async t => {
  if (lacks(t, 'root', 'qemu-img')) return
  const work = await scratch(t)
  const mountpoint = await work.directory('mnt')
  const alone = await work.create('alone.qed', '4M')
  const none = await work.rawmount('mount', '--write-base', 'writeback', alone, mountpoint)
  t.is(none.code, 1)
  t.is(
    none.stderr,
    `rawmount: ${alone}: has no base that writes could go to, or needs it no more; leave out --write-base=writeback\n`,
  )
  await succeed('qemu-img', 'create', '-q', '-f', 'qcow2', work.join('base.qcow2'), '4M')
  const image = await work.create('disk.qed', '-b', 'base.qcow2', '-F', 'qcow2')
  const qcow2 = await work.rawmount('mount', '--write-base', 'writethrough', image, mountpoint)
  t.is(qcow2.code, 1)
  t.is(
    qcow2.stderr,
    `rawmount: ${work.join('base.qcow2')}: writes cannot go to this base (writethrough), as images of the format qcow2 are only read; say --write-base=no\n`,
  )
})
