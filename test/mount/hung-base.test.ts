import { existsSync } from 'node:fs'
import { open, readFile, stat, writeFile } from 'node:fs/promises'
import test, { type ExecutionContext } from 'ava'
import { type Mounted, scratch } from '../support/mounting.js'
import { pattern } from '../support/pattern.js'
import { SlowMount } from '../support/slow-mount.js'
import { collect, lacks, run, until } from '../support/tools.js'

/** A base on a server that does not answer: only who needs it waits. */
const MIB = 1 << 20
const SIZE = 16 * MIB
/** More than there are threads, and than the first few that are added. */
const READERS = 7

async function start(t: ExecutionContext) {
  const work = await scratch(t)
  const directory = await work.directory('library')
  await writeFile(`${directory}/base.raw`, pattern(0, SIZE, 1, 1))
  const slow = await SlowMount.start(work, 'slow', directory)
  const image = work.join('vm.fvd')
  const options = 'compact_image=on,block_size=64K'
  await work.rawmounts(
    'create',
    '-q',
    '-f',
    'fvd',
    '-o',
    options,
    '-b',
    slow.file('base.raw'),
    '-F',
    'raw',
    image,
  )
  const mounted = await work.mount(image, '--threads=2')
  const disk = await open(mounted.disk, 'r+')
  t.teardown(() => disk.close().catch(() => {}))
  await disk.write(Buffer.alloc(MIB, 7), 0, MIB, 0)
  await disk.sync()
  await slow.set({ hang: true })
  const readers = Array.from({ length: READERS }, (_, n) =>
    work.start(
      'dd',
      `if=${mounted.disk}`,
      'bs=4k',
      'count=1',
      `skip=${((2 + n) * MIB) / 4096}`,
      'iflag=direct',
      'status=none',
    ),
  )
  const outcomes = readers.map(collect)
  return { work, slow, image, mounted, disk, outcomes }
}

/** Everything that needs no base. */
async function mustAnswer(t: ExecutionContext, mounted: Mounted, disk: Awaited<ReturnType<typeof open>>) {
  const written = Buffer.alloc(65536, 9)
  for (let n = 0; n < 4; n++) {
    await disk.write(written, 0, written.length, n * 65536)
    await disk.sync()
    const direct = await run('dd', [`if=${mounted.disk}`, 'bs=64k', 'count=1', `skip=${n}`, 'iflag=direct'])
    t.is(direct.code, 0, direct.stderr)
  }
  t.is((await stat(mounted.disk)).size, SIZE)
  t.is((await mounted.status()).virtualSize, SIZE)
}

test('readers that need a base that hangs wait; all others are served; when it is back, the readers have what they asked for', async t => {
  if (lacks(t, 'root')) return
  const { slow, mounted, disk, outcomes } = await start(t)
  await mustAnswer(t, mounted, disk)
  await slow.set({ hang: false })
  for (const outcome of outcomes) t.is((await outcome).code, 0)
  const bytes = Buffer.alloc(4096)
  await disk.read(bytes, 0, 4096, 5 * MIB)
  t.true(bytes.equals(pattern(5 * MIB, 4096, 1, 1)))
  await disk.close()
  await mounted.unmount()
})

test('a mount whose base hangs says who holds it, and ends at a second signal, with the image clean and complete', async t => {
  if (lacks(t, 'root')) return
  const { work, slow, image, mounted, disk, outcomes } = await start(t)
  await mustAnswer(t, mounted, disk)
  await disk.close()
  const busy = await work.rawmount('umount', mounted.mountpoint)
  t.is(busy.code, 1)
  t.regex(busy.stderr, /is in use by process .*\(dd\)/)
  const { pid } = await mounted.status()
  process.kill(pid, 'SIGTERM')
  await until(async () => !(await readFile('/proc/self/mounts', 'utf8')).includes(`${mounted.mountpoint} `))
  process.kill(pid, 'SIGTERM')
  for (const outcome of outcomes) t.is((await outcome).code, 1)
  await until(async () => /clean_shutdown: 1/.test((await work.rawmount('info', image)).stdout))
  await slow.set({ hang: false })
  await until(() => !existsSync(`/proc/${pid}`))
  t.is((await work.rawmount('check', image)).code, 0)
  const again = await work.mount(image, '-r')
  const reader = await open(again.disk, 'r')
  t.teardown(() => reader.close().catch(() => {}))
  const bytes = Buffer.alloc(65536)
  await reader.read(bytes, 0, 65536, 3 * 65536)
  t.true(bytes.equals(Buffer.alloc(65536, 9)))
  await reader.close()
  await again.unmount()
})
