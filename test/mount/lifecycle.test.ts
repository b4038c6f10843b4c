import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { open, readdir, readFile, rename, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { mountpointsBelow, NEEDS, PROGRAM, type Scratch, scratch, TRANSPORTS } from '../support/mounting.js'
import { needsCheck } from '../support/need-check.js'
import { collect, lacks, type Outcome, run, succeed, until } from '../support/tools.js'

const MiB = 1024 * 1024

/** One line on stderr with all of `words`, exit code 1, and nothing left: no mount, no process. */
async function refused(
  t: ExecutionContext,
  work: Scratch,
  outcome: Outcome,
  ...words: string[]
): Promise<void> {
  t.is(outcome.code, 1, outcome.stderr)
  t.is(outcome.stdout, '')
  t.regex(outcome.stderr, /^rawmount: [^\n]+\n$/)
  for (const word of words)
    t.true(outcome.stderr.includes(word), `"${word}" is missing in: ${outcome.stderr}`)
  t.deepEqual(await work.processes(2000), [])
}

for (const transport of TRANSPORTS) {
  const needs = NEEDS[transport]

  test(`${transport}: umount returns when the image is closed, clean and complete`, async t => {
    if (lacks(t, ...needs, 'qemu-img')) return
    const work = await scratch(t)
    const image = await work.create('disk.qed', '64M')
    const mounted = await work.mount(image, '--transport', transport)
    const { pid } = await mounted.status()
    // Not flushed: it is in the page cache, for the most part.
    await writeFile(mounted.disk, Buffer.alloc(32 * MiB, 6), { flag: 'r+' })
    await mounted.unmount()
    t.false(existsSync(`/proc/${pid}`) && !(await isZombie(pid)))
    t.deepEqual(await readdir(mounted.mountpoint), [])
    t.false(await needsCheck(image))
    t.is((await run('qemu-img', ['check', image])).code, 0)
    await succeed('qemu-img', 'convert', '-O', 'raw', image, work.join('copy'))
    t.true(
      (await readFile(work.join('copy'))).equals(
        Buffer.concat([Buffer.alloc(32 * MiB, 6), Buffer.alloc(32 * MiB)]),
      ),
    )
  })

  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    test(`${transport}: ${signal} ends the daemon cleanly, with all that was written in the image`, async t => {
      if (lacks(t, ...needs)) return
      const work = await scratch(t)
      const image = await work.create('disk.qed', '16M')
      const mounted = await work.mount(image, '--transport', transport, '--commit-interval', '3600')
      const { pid } = await mounted.status()
      await writeFile(mounted.disk, Buffer.alloc(MiB, 8), { flag: 'r+', flush: true })
      t.true(await needsCheck(image))
      await writeFile(mounted.disk, Buffer.alloc(4 * MiB, 8), { flag: 'r+' })
      process.kill(pid, signal)
      await until(async () => (await work.processes(0)).length === 0)
      t.deepEqual(await mountpointsBelow(work.path), [])
      t.false(await needsCheck(image))
      const again = await work.mount(image)
      t.true((await readFile(again.disk)).subarray(0, 4 * MiB).equals(Buffer.alloc(4 * MiB, 8)))
      await again.unmount()
    })
  }

  test(`${transport}: SIGTERM unmounts where a directory above the mount point was renamed`, async t => {
    if (lacks(t, ...needs)) return
    const work = await scratch(t)
    const image = await work.create('disk.qed', '16M')
    await work.directory('old')
    const mounted = await work.mountAt('old/mnt', image, '--transport', transport)
    const { pid } = await mounted.status()
    await rename(work.join('old'), work.join('new'))
    await writeFile(work.join('new/mnt/disk.raw'), Buffer.alloc(MiB, 8), { flag: 'r+' })
    process.kill(pid, 'SIGTERM')
    await until(async () => (await work.processes(0)).length === 0)
    t.deepEqual(await mountpointsBelow(work.path), [])
    t.false(await needsCheck(image))
    const again = await work.mount(image)
    t.is((await readFile(again.disk))[MiB - 1], 8)
    await again.unmount()
  })

  test(`${transport}: under another mount SIGTERM leaves it mounted, and the next one ends it cleanly`, async t => {
    if (lacks(t, ...needs)) return
    const work = await scratch(t)
    const image = await work.create('disk.qed', '16M')
    const log = work.join('log')
    const mounted = await work.mount(image, '--transport', transport, '--log-file', log)
    const { pid } = await mounted.status()
    await writeFile(mounted.disk, Buffer.alloc(MiB, 8), { flag: 'r+' })
    await succeed('mount', '-t', 'tmpfs', 'cover', mounted.mountpoint)
    process.kill(pid, 'SIGTERM')
    await until(async () => (await readFile(log, 'utf8')).includes('was mounted over it'))
    t.regex(
      await readFile(log, 'utf8'),
      /mnt: cover was mounted over it: unmount that first \('umount [^']+'\); it stays mounted, a further signal tries again\n/,
    )
    t.deepEqual((await mountpointsBelow(work.path)).length, 2)
    await succeed('umount', mounted.mountpoint)
    t.is((await readFile(mounted.disk))[MiB - 1], 8)
    process.kill(pid, 'SIGTERM')
    await until(async () => (await work.processes(0)).length === 0)
    t.deepEqual(await mountpointsBelow(work.path), [])
    t.false(await needsCheck(image))
    const again = await work.mount(image)
    t.is((await readFile(again.disk))[MiB - 1], 8)
    await again.unmount()
  })

  test(`${transport}: with -f it stays in front, and Ctrl-C ends it`, async t => {
    if (lacks(t, ...needs)) return
    const work = await scratch(t)
    const image = await work.create('disk.qed', '16M')
    const mountpoint = await work.directory('mnt')
    const program = work.start(
      process.execPath,
      PROGRAM,
      'mount',
      '-f',
      '--transport',
      transport,
      image,
      mountpoint,
    )
    const ended = collect(program)
    await until(async () => program.exitCode !== null || (await mountpointsBelow(work.path)).length > 0)
    await writeFile(`${mountpoint}/disk.raw`, Buffer.alloc(MiB, 1), { flag: 'r+' })
    t.is(program.exitCode, null)
    program.kill('SIGINT')
    const { code, stderr } = await ended
    t.is(code, 0, stderr)
    t.is(stderr, '')
    t.deepEqual(await mountpointsBelow(work.path), [])
    t.false(await needsCheck(image))
  })

  test(`${transport}: with -f an umount from elsewhere ends it, too`, async t => {
    if (lacks(t, ...needs)) return
    const work = await scratch(t)
    const image = await work.create('disk.qed', '16M')
    const mountpoint = await work.directory('mnt')
    const program = work.start(
      process.execPath,
      PROGRAM,
      'mount',
      '-f',
      '--transport',
      transport,
      image,
      mountpoint,
    )
    const ended = collect(program)
    await until(async () => program.exitCode !== null || (await mountpointsBelow(work.path)).length > 0)
    await succeed('umount', mountpoint)
    t.is((await ended).code, 0)
    t.false(await needsCheck(image))
  })

  test(`${transport}: umount of a busy mount names the process that holds it, and leaves it mounted`, async t => {
    if (lacks(t, ...needs)) return
    const work = await scratch(t)
    const mounted = await work.mount(await work.create('disk.qed', '16M'), '--transport', transport)
    const holder = work.start('tail', '-f', mounted.disk)
    await until(async () => (await openFiles(holder.pid!)).includes(mounted.disk))
    const outcome = await work.rawmount('umount', mounted.mountpoint)
    t.is(outcome.code, 1)
    t.regex(outcome.stderr, /^rawmount: [^\n]+\n$/)
    t.true(outcome.stderr.includes(`process ${holder.pid} (tail)`), outcome.stderr)
    t.is((await mounted.status()).image, mounted.image)
    holder.kill()
    await once(holder, 'close')
    await mounted.unmount()
  })

  test(`${transport}: where a mount hangs, the next one is refused, and waits for nobody`, async t => {
    if (lacks(t, ...needs)) return
    const work = await scratch(t)
    const mounted = await work.mount(await work.create('disk.qed', '16M'), '--transport', transport)
    const { pid } = await mounted.status()
    process.kill(pid, 'SIGSTOP')
    try {
      const other = await work.create('other.qed', '16M')
      const outcome = await work.rawmount('mount', '--transport', transport, other, mounted.mountpoint)
      t.is(outcome.code, 1)
      t.regex(outcome.stderr, /^rawmount: [^\n]+ is mounted here already: [^\n]+\n$/)
    } finally {
      process.kill(pid, 'SIGCONT')
    }
    await mounted.unmount()
  })

  test(`${transport}: after kill -9 of the daemon, the next mount takes the stale mount point over`, async t => {
    if (lacks(t, ...needs)) return
    const work = await scratch(t)
    const image = await work.create('disk.qed', '16M')
    const mounted = await work.mount(image, '--transport', transport)
    process.kill((await mounted.status()).pid, 'SIGKILL')
    await until(async () => (await work.processes(0)).length === 0)
    // The latter when the kernel has not taken all from it yet.
    const { code } = (await t.throwsAsync(readFile(mounted.disk))) as NodeJS.ErrnoException
    t.true(['ENOTCONN', 'ECONNABORTED'].includes(code!), code)
    const again = await work.mount(image, '--transport', transport)
    t.is((await readFile(again.disk)).length, 16 * MiB)
    t.is((await mountpointsBelow(work.path)).length, 1)
    await again.unmount()
  })
}

test('umount of a busy mount names the loop device that holds it', async t => {
  if (lacks(t, 'root', 'losetup', 'mkfs.ext4')) return
  const work = await scratch(t)
  const mounted = await work.mount(await work.create('disk.qed', '16M'))
  const device = await work.loop(mounted.disk)
  await succeed('mkfs.ext4', '-q', '-F', device)
  const directory = await work.mountDevice(device, 'files')
  const outcome = await work.rawmount('umount', mounted.mountpoint)
  t.is(outcome.code, 1)
  t.true(outcome.stderr.includes(device) && outcome.stderr.includes(directory), outcome.stderr)
  await succeed('umount', directory)
  await work.detach(device)
  await mounted.unmount()
})

test('umount of a mount that is bound elsewhere, too, says where, and does not wait for that', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const work = await scratch(t)
  const mounted = await work.mount(await work.create('disk.qed', '1M'))
  const other = await work.directory('other')
  await succeed('mount', '--bind', mounted.mountpoint, other)
  const outcome = await work.rawmount('umount', mounted.mountpoint)
  t.is(outcome.code, 1)
  t.is(
    outcome.stderr,
    `rawmount: ${mounted.mountpoint}: is gone, but what was mounted there is mounted on ${other} as well, and goes on: end it there, too, with 'rawmount umount'\n`,
  )
  t.is((await stat(join(other, 'disk.raw'))).size, MiB)
  await work.rawmounts('umount', other)
  t.deepEqual(await work.processes(0), [])
})

test('SIGTERM with an open file in the mount waits for it, and loses nothing', async t => {
  if (lacks(t, 'root')) return
  const work = await scratch(t)
  const image = await work.create('disk.qed', '16M')
  const mounted = await work.mount(image)
  const { pid } = await mounted.status()
  const disk = await open(mounted.disk, 'r+')
  process.kill(pid, 'SIGTERM')
  await until(async () => (await mountpointsBelow(work.path)).length === 0)
  await disk.write(Buffer.alloc(MiB, 4), 0, MiB, 0)
  await disk.sync()
  await disk.close()
  await until(async () => (await work.processes(0)).length === 0)
  t.false(await needsCheck(image))
  const again = await work.mount(image)
  t.true((await readFile(again.disk)).subarray(0, MiB).equals(Buffer.alloc(MiB, 4)))
  await again.unmount()
})

test('a second SIGTERM cuts off who still uses the mount, and closes the image', async t => {
  if (lacks(t, 'root')) return
  const work = await scratch(t)
  const image = await work.create('disk.qed', '16M')
  const mounted = await work.mount(image)
  const { pid } = await mounted.status()
  await writeFile(mounted.disk, Buffer.alloc(MiB, 4), { flag: 'r+', flush: true })
  // Another process: this one must not have files open in a mount that is torn down.
  const holder = work.start('tail', '-f', mounted.disk)
  const released = once(holder, 'close')
  await until(async () => (await openFiles(holder.pid!)).includes(mounted.disk))
  process.kill(pid, 'SIGTERM')
  await until(async () => (await mountpointsBelow(work.path)).length === 0)
  t.true(existsSync(`/proc/${pid}`))
  process.kill(pid, 'SIGTERM')
  await until(async () => !existsSync(`/proc/${pid}`) || (await isZombie(pid)))
  holder.kill('SIGKILL')
  await released
  t.false(await needsCheck(image))
  const again = await work.mount(image)
  t.true((await readFile(again.disk)).subarray(0, MiB).equals(Buffer.alloc(MiB, 4)))
  await again.unmount()
})

test('rawmount IMAGE MOUNTPOINT -o OPTIONS mounts as mount(8) calls it', async t => {
  if (lacks(t, 'root')) return
  const work = await scratch(t)
  const image = await work.create('disk.qed', '16M')
  const mountpoint = await work.directory('mnt')
  await work.rawmounts(image, mountpoint, '-o', 'ro,threads=1')
  const status = JSON.parse(await readFile(`${mountpoint}/.rawmount/status.json`, 'utf8'))
  t.is(status.readOnly, true)
  t.is(status.threads, 1)
  await work.rawmounts('umount', mountpoint)
})

test('umount(8) serves as well: the daemon flushes, closes the image and ends', async t => {
  if (lacks(t, 'root')) return
  const work = await scratch(t)
  const image = await work.create('disk.qed', '16M')
  const mounted = await work.mount(image)
  await writeFile(mounted.disk, Buffer.alloc(MiB, 4), { flag: 'r+' })
  await succeed('umount', mounted.mountpoint)
  await until(async () => (await work.processes(0)).length === 0)
  t.false(await needsCheck(image))
  t.is((await work.rawmount('check', image)).code, 0)
})

test('a mount point that cannot be used is refused in one line, with nothing left behind', async t => {
  if (lacks(t, 'root')) return
  const work = await scratch(t)
  const image = await work.create('disk.qed', '16M')
  const full = await work.directory('full')
  await writeFile(`${full}/something`, '')
  await symlink(work.join('nowhere'), work.join('link'))

  await refused(
    t,
    work,
    await work.rawmount('mount', image, work.join('missing')),
    work.join('missing'),
    'mkdir',
  )
  await refused(t, work, await work.rawmount('mount', image, work.join('link')), work.join('link'))
  await refused(t, work, await work.rawmount('mount', image, full), full, 'not empty')
  t.deepEqual(await mountpointsBelow(work.path), [])
  t.false(await needsCheck(image))
  t.deepEqual(await readdir(full), ['something'])
})

for (const transport of ['kernel', 'libfuse'] as const) {
  test(`with -o nonempty a directory with files serves as a mount point, and shows them again, through ${transport}`, async t => {
    if (lacks(t, 'root')) return
    const work = await scratch(t)
    const image = await work.create('disk.qed', '16M')
    const full = await work.directory('full')
    await writeFile(`${full}/something`, '')
    const mounted = await work.rawmount('mount', '--transport', transport, '-o', 'nonempty', image, full)
    t.is(mounted.code, 0, mounted.stderr)
    t.deepEqual((await readdir(full)).sort(), ['.rawmount', 'disk.raw'])
    t.is((await work.rawmount('umount', full)).code, 0)
    t.deepEqual(await readdir(full), ['something'])
  })
}

test('a mount point that is used already is refused, and stays as it is', async t => {
  if (lacks(t, 'root')) return
  const work = await scratch(t)
  const mounted = await work.mount(await work.create('disk.qed', '16M'))
  const other = await work.create('other.qed', '32M')
  const outcome = await work.rawmount('mount', other, mounted.mountpoint)
  t.is(outcome.code, 1)
  t.regex(outcome.stderr, /^rawmount: [^\n]+\n$/)
  t.true(outcome.stderr.includes(mounted.mountpoint) && outcome.stderr.includes('mounted'), outcome.stderr)
  t.is((await mounted.status()).virtualSize, 16 * MiB)
  await mounted.unmount()
  t.deepEqual(await work.processes(2000), [])
})

test('an image that cannot be opened is refused in one line, with nothing mounted', async t => {
  if (lacks(t, 'root')) return
  const work = await scratch(t)
  const mountpoint = await work.directory('mnt')
  const garbage = work.join('garbage')
  await writeFile(garbage, 'no image at all')
  await succeed('mkfifo', work.join('fifo'))
  const mount = (image: string, ...options: string[]) => work.rawmount('mount', ...options, image, mountpoint)

  await refused(t, work, await mount(work.join('missing.qed')), work.join('missing.qed'), 'does not exist')
  await refused(t, work, await mount(garbage), garbage, '--format raw')
  await refused(t, work, await mount(garbage, '--format', 'qed'), garbage)
  await refused(t, work, await mount(garbage, '--format', 'qcow7'), 'qcow7')
  await refused(t, work, await mount(work.join('fifo')), work.join('fifo'), 'FIFO')
  await refused(t, work, await mount('/dev/null'), '/dev/null')
  await refused(t, work, await mount(work.path), work.path, 'directory')
  await refused(t, work, await mount(garbage, '--transprot', 'kernel'), '--transprot')
  await refused(t, work, await mount(garbage, '-o', 'threds=2'), 'threds')
  t.deepEqual(await mountpointsBelow(work.path), [])
  t.is(await readFile(garbage, 'utf8'), 'no image at all')
})

test('umount of something else is refused in one line', async t => {
  if (lacks(t, 'root')) return
  const work = await scratch(t)
  const plain = await work.directory('plain')
  const other = await work.directory('other')
  await succeed('mount', '-t', 'tmpfs', 'none', other)
  await refused(t, work, await work.rawmount('umount', plain), plain)
  await refused(t, work, await work.rawmount('umount', work.join('missing')), work.join('missing'))
  await refused(t, work, await work.rawmount('umount', other), other, 'tmpfs')
  await succeed('umount', other)
})

test('two images are mounted side by side', async t => {
  if (lacks(t, 'root')) return
  const work = await scratch(t)
  const first = await work.mountAt('first', await work.create('first.qed', '16M'))
  const second = await work.mountAt('second', await work.create('second.qed', '16M'))
  await writeFile(first.disk, Buffer.alloc(16 * MiB, 1), { flag: 'r+' })
  await writeFile(second.disk, Buffer.alloc(16 * MiB, 2), { flag: 'r+' })
  await first.unmount()
  t.true((await readFile(second.disk)).equals(Buffer.alloc(16 * MiB, 2)))
  await second.unmount()
})

async function isZombie(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ') Z')
  return stat.slice(stat.lastIndexOf(')')).startsWith(') Z')
}

async function openFiles(pid: number): Promise<string> {
  return (await run('ls', ['-l', `/proc/${pid}/fd`])).stdout
}

test('a mount that is interrupted while it begins leaves neither mount nor daemon', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const work = await scratch(t)
  const image = await work.create('disk.qed', '16M')
  const mountpoint = await work.directory('mnt')
  for (const delay of [0, 100, 150, 200, 250, 300, 400]) {
    const command = work.start(process.execPath, PROGRAM, 'mount', image, mountpoint)
    const ended = collect(command)
    await sleep(delay)
    command.kill('SIGINT')
    const { code, signal } = await ended
    if (code === 0) {
      await work.rawmounts('umount', mountpoint)
      continue
    }
    t.true(code === 130 || signal === 'SIGINT', `after ${delay} ms: ${code} ${signal}`)
    t.deepEqual(await work.processes(5000), [])
    t.deepEqual(await mountpointsBelow(work.path), [])
  }
  await work.rawmounts('check', '-q', '-r', 'all', image)
})
