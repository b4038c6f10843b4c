import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { open, readdir, readFile, stat, statfs, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { lseek, SEEK_DATA, SEEK_HOLE } from '../../src/libc/files.js'
import { NEEDS, scratch, TRANSPORTS } from '../support/mounting.js'
import { lacks, run, succeed, until } from '../support/tools.js'

/** What the mounted tree looks like to programs. */
const KiB = 1024
const MiB = 1024 * KiB

for (const transport of TRANSPORTS) {
  const needs = NEEDS[transport]

  test(`${transport}: disk.raw has the size of the disk and belongs to who mounted it, alone`, async t => {
    if (lacks(t, ...needs)) return
    const work = await scratch(t)
    const mounted = await work.mount(await work.create('disk.qed', '3G'), '--transport', transport)
    const facts = await stat(mounted.disk)
    t.is(facts.size, 3 * 1024 * MiB)
    t.is(facts.mode & 0o7777, 0o600)
    t.is(facts.uid, process.getuid!())
    t.deepEqual(await readdir(mounted.mountpoint), ['disk.raw', '.rawmount'].sort())
    t.deepEqual(await readdir(join(mounted.mountpoint, '.rawmount')), [
      'map.json',
      'metrics',
      'partitions.json',
      'status.json',
    ])
    await mounted.unmount()
  })

  test(`${transport}: a read-only mount refuses to write, and changes no byte of the image`, async t => {
    if (lacks(t, ...needs)) return
    const work = await scratch(t)
    const image = await work.create('disk.qed', '16M')
    const writing = await work.mount(image, '--transport', transport)
    await writeFile(writing.disk, Buffer.alloc(MiB, 3), { flag: 'r+' })
    await writing.unmount()
    const before = await fingerprint(image)

    const mounted = await work.mount(image, '--transport', transport, '-r')
    t.is((await stat(mounted.disk)).mode & 0o7777, 0o400)
    await t.throwsAsync(open(mounted.disk, 'r+'), { code: 'EROFS' })
    await t.throwsAsync(open(mounted.disk, 'w'), { code: 'EROFS' })
    const read = await readFile(mounted.disk)
    t.true(read.subarray(0, MiB).equals(Buffer.alloc(MiB, 3)))
    t.true(read.subarray(MiB).equals(Buffer.alloc(15 * MiB)))
    t.true((await mounted.status()).readOnly)
    await mounted.unmount()
    t.deepEqual(await fingerprint(image), before)
  })

  test(`${transport}: du shows what is allocated, not the size of the disk`, async t => {
    if (lacks(t, ...needs)) return
    const work = await scratch(t)
    const mounted = await work.mount(await work.create('disk.qed', '1G'), '--transport', transport)
    const blocks = async (): Promise<number> =>
      Number(await succeed('du', '--block-size=1', mounted.disk).then(firstWord))
    t.true((await blocks()) < 2 * MiB)
    const disk = await open(mounted.disk, 'r+')
    await disk.write(Buffer.alloc(8 * MiB, 1), 0, 8 * MiB, 100 * MiB)
    await disk.sync()
    await disk.close()
    // The kernel keeps attributes for a second.
    await until(async () => (await blocks()) >= 8 * MiB)
    t.true((await blocks()) < 12 * MiB)
    await mounted.unmount()
  })

  test(`${transport}: the size cannot be changed; truncating to nothing is ignored, as on a block device`, async t => {
    if (lacks(t, ...needs)) return
    const work = await scratch(t)
    const mounted = await work.mount(await work.create('disk.qed', '16M'), '--transport', transport)
    await t.throwsAsync(truncate(mounted.disk, 8 * MiB), { code: 'EINVAL' })
    await t.throwsAsync(truncate(mounted.disk, 32 * MiB), { code: 'EINVAL' })
    const source = work.join('source')
    await writeFile(source, Buffer.alloc(16 * MiB, 5))
    await succeed('cp', source, mounted.disk)
    t.is((await stat(mounted.disk)).size, 16 * MiB)
    await succeed('cmp', source, mounted.disk)
    await mounted.unmount()
  })

  test(`${transport}: writes end at the end of the disk with ENOSPC, reads with nothing`, async t => {
    if (lacks(t, ...needs)) return
    const work = await scratch(t)
    const mounted = await work.mount(
      await work.create('disk.qed', '1M'),
      '--transport',
      transport,
      '--cache',
      'none',
    )
    const disk = await open(mounted.disk, 'r+')
    t.is((await disk.write(Buffer.alloc(8192, 1), 0, 8192, MiB - 4096)).bytesWritten, 4096)
    await t.throwsAsync(disk.write(Buffer.alloc(512), 0, 512, MiB), { code: 'ENOSPC' })
    t.is((await disk.read(Buffer.alloc(8192), 0, 8192, MiB - 4096)).bytesRead, 4096)
    t.is((await disk.read(Buffer.alloc(8192), 0, 8192, MiB)).bytesRead, 0)
    await disk.close()
    t.is((await stat(mounted.disk)).size, MiB)
    await mounted.unmount()
  })

  test(`${transport}: nothing can be made, renamed or removed beside disk.raw`, async t => {
    if (lacks(t, ...needs)) return
    const work = await scratch(t)
    const mounted = await work.mount(await work.create('disk.qed', '1M'), '--transport', transport)
    const other = join(mounted.mountpoint, 'other')
    for (const [command, ...args] of [
      ['touch', other],
      ['mkdir', other],
      ['mv', mounted.disk, other],
      ['rm', '-f', mounted.disk],
      ['ln', '-s', 'x', other],
      ['chmod', '0666', mounted.disk],
    ] as const) {
      const outcome = await run(command, args)
      t.not(outcome.code, 0, `${command} ${args.join(' ')}`)
    }
    await t.throwsAsync(stat(other), { code: 'ENOENT' })
    t.is((await mounted.status()).pid > 0, true)
    await mounted.unmount()
  })

  test(`${transport}: findmnt tells which image is mounted where, df its size`, async t => {
    if (lacks(t, ...needs, 'findmnt')) return
    const work = await scratch(t)
    // A comma and a blank are what mount tables and option lists trip over.
    const image = await work.create('a, disk.qed', '64M')
    const mounted = await work.mount(image, '--transport', transport)
    const found = await succeed(
      'findmnt',
      '--noheadings',
      '--raw',
      '--output',
      'SOURCE,FSTYPE',
      mounted.mountpoint,
    )
    t.is(found.replaceAll('\\x20', ' ').trim(), `${image} fuse.rawmount`)
    const space = await statfs(mounted.mountpoint)
    t.is(space.blocks * space.bsize, 64 * MiB)
    await mounted.unmount()
  })

  test(`${transport}: status.json names the process, the chain, and counts what was done`, async t => {
    if (lacks(t, ...needs)) return
    const work = await scratch(t)
    const base = await work.create('base.qed', '-o', 'cluster_size=4K', '8M')
    const image = await work.create('disk.qed', '-b', 'base.qed', '-F', 'qed', '16M')
    const mounted = await work.mount(image, '--transport', transport, '--cache', 'none')
    const before = await mounted.status()
    t.is(before.image, image)
    t.is(before.format, 'qed')
    t.is(before.transport, transport)
    t.is(before.virtualSize, 16 * MiB)
    t.is(before.clusterSize, 64 * KiB)
    t.is(before.readOnly, false)
    t.deepEqual(
      before.chain.map(({ filename, format }) => [filename, format]),
      [
        [image, 'qed'],
        [base, 'qed'],
      ],
    )
    t.true((await readFile(`/proc/${before.pid}/cmdline`, 'utf8')).length > 0)

    const disk = await open(mounted.disk, 'r+')
    await disk.write(Buffer.alloc(128 * KiB, 1), 0, 128 * KiB, 0)
    // Where nothing was written, so that no cache answers.
    await disk.read(Buffer.alloc(64 * KiB), 0, 64 * KiB, 8 * MiB)
    await disk.sync()
    await disk.close()
    const after = await mounted.status()
    t.is(after.bytes.written - before.bytes.written, 128 * KiB)
    t.true(after.bytes.read - before.bytes.read >= 64 * KiB)
    t.is(after.metadata.pending, 0)
    t.true(after.metadata.commits > before.metadata.commits)
    await mounted.unmount()
  })

  test(`${transport}: the page cache and O_DIRECT show one disk to two processes`, async t => {
    if (lacks(t, ...needs)) return
    const work = await scratch(t)
    const mounted = await work.mount(await work.create('disk.qed', '16M'), '--transport', transport)
    const disk = await open(mounted.disk, 'r+')
    t.is((await disk.read(Buffer.alloc(MiB), 0, MiB, 0)).bytesRead, MiB) // fills the cache
    await disk.write(Buffer.alloc(MiB, 1), 0, MiB, 0) // stays in it
    const copy = work.join('copy')
    await succeed('dd', `if=${mounted.disk}`, `of=${copy}`, 'bs=1M', 'count=1', 'iflag=direct', 'status=none')
    t.true((await readFile(copy)).equals(Buffer.alloc(MiB, 1)))
    await writeFile(copy, Buffer.alloc(MiB, 2))
    await succeed(
      'dd',
      `if=${copy}`,
      `of=${mounted.disk}`,
      'bs=64K',
      'oflag=direct',
      'conv=notrunc',
      'status=none',
    )
    const { buffer } = await disk.read(Buffer.alloc(MiB), 0, MiB, 0)
    t.true(buffer.equals(Buffer.alloc(MiB, 2)))
    await disk.close()
    await mounted.unmount()
  })
}

test('SEEK_DATA and SEEK_HOLE find the data of the whole chain', async t => {
  if (lacks(t, 'root')) return
  const work = await scratch(t)
  const base = await open(work.join('base.raw'), 'w')
  await base.truncate(8 * MiB)
  await base.write(Buffer.alloc(64 * KiB, 1), 0, 64 * KiB, 2 * MiB)
  await base.close()
  const image = await work.create('disk.qed', '-b', 'base.raw', '-F', 'raw', '16M')
  const mounted = await work.mount(image)
  await succeed('fallocate', '--zero-range', '--keep-size', '--offset', '1M', '--length', '1M', mounted.disk)
  const writer = await open(mounted.disk, 'r+')
  await writer.write(Buffer.alloc(128 * KiB, 2), 0, 128 * KiB, 10 * MiB)
  await writer.close()
  const disk = await open(mounted.disk, 'r')
  // While somebody may have unwritten pages all counts as data; that the writer is gone is told a moment later.
  await until(() => lseek(disk.fd, 0, SEEK_DATA) !== 0)
  const seek = (offset: number, whence: number): number => lseek(disk.fd, offset, whence)
  t.is(seek(0, SEEK_DATA), 2 * MiB)
  t.is(seek(2 * MiB, SEEK_HOLE), 2 * MiB + 64 * KiB)
  t.is(seek(2 * MiB + 64 * KiB, SEEK_DATA), 10 * MiB)
  t.is(seek(10 * MiB + 5, SEEK_DATA), 10 * MiB + 5)
  t.is(seek(10 * MiB + 5, SEEK_HOLE), 10 * MiB + 128 * KiB)
  t.is(seek(11 * MiB, SEEK_DATA), -1)
  t.is(seek(0, SEEK_HOLE), 0)
  t.is(seek(16 * MiB, SEEK_HOLE), -1)
  await disk.close()
  await mounted.unmount()
})

test('a copy that knows holes keeps a large disk sparse', async t => {
  if (lacks(t, 'root')) return
  const work = await scratch(t)
  const mounted = await work.mount(await work.create('disk.qed', '10G'))
  const disk = await open(mounted.disk, 'r+')
  await disk.write(Buffer.alloc(MiB, 9), 0, MiB, 5 * 1024 * MiB)
  await disk.close()
  await succeed('cp', '--sparse=auto', mounted.disk, work.join('copy'))
  const copy = await stat(work.join('copy'))
  t.is(copy.size, 10 * 1024 * MiB)
  t.true(copy.blocks * 512 < 8 * MiB)
  await mounted.unmount()
})

test('punching holes and zeroing ranges give zeros, over a backing file too', async t => {
  if (lacks(t, 'root', 'fallocate')) return
  const work = await scratch(t)
  await writeFile(work.join('base.raw'), Buffer.alloc(8 * MiB, 1))
  const image = await work.create('disk.qed', '-b', 'base.raw', '-F', 'raw')
  const mounted = await work.mount(image)
  const disk = await open(mounted.disk, 'r+')
  await disk.write(Buffer.alloc(MiB, 2), 0, MiB, 2 * MiB)
  await disk.sync()
  await succeed('fallocate', '--punch-hole', '--offset', '1000000', '--length', '3000000', mounted.disk)
  await succeed(
    'fallocate',
    '--zero-range',
    '--keep-size',
    '--offset',
    '5M',
    '--length',
    '100001',
    mounted.disk,
  )
  const expected = Buffer.alloc(8 * MiB, 1).fill(2, 2 * MiB, 3 * MiB)
  expected.fill(0, 1_000_000, 4_000_000).fill(0, 5 * MiB, 5 * MiB + 100_001)
  t.true((await readFile(mounted.disk)).equals(expected))
  await disk.close()
  await mounted.unmount()
  const again = await work.mount(image)
  t.true((await readFile(again.disk)).equals(expected))
  await again.unmount()
  t.is((await work.rawmount('check', image)).code, 0)
})

test('space cannot be reserved', async t => {
  if (lacks(t, 'root', 'fallocate')) return
  const work = await scratch(t)
  const mounted = await work.mount(await work.create('disk.qed', '16M'))
  const outcome = await run('fallocate', ['--offset', '0', '--length', '1M', mounted.disk])
  t.is(outcome.code, 1)
  t.regex(outcome.stderr, /not supported/)
  await mounted.unmount()
})

test('with --cache writethrough a write has reached the daemon when it returns', async t => {
  if (lacks(t, 'root')) return
  const work = await scratch(t)
  const mounted = await work.mount(await work.create('disk.qed', '16M'), '--cache', 'writethrough')
  const disk = await open(mounted.disk, 'r+')
  await disk.write(Buffer.alloc(100_000, 1), 0, 100_000, 12_345)
  t.is((await mounted.status()).bytes.written, 100_000)
  await disk.close()
  await mounted.unmount()
})

test('processes that write side by side lose nothing', async t => {
  if (lacks(t, 'root')) return
  const work = await scratch(t)
  const image = await work.create('disk.qed', '64M')
  const mounted = await work.mount(image, '--threads', '4')
  // Neighbouring writers meet in every cluster: each fills its own quarter of each.
  const writers = [1, 2, 3, 4].map(number =>
    work.start(
      process.execPath,
      '-e',
      `const fs = require('fs'); const fd = fs.openSync(process.argv[1], 'r+')
       for (let at = ${(number - 1) * 16 * KiB}; at < ${24 * MiB}; at += ${64 * KiB})
         fs.writeSync(fd, Buffer.alloc(${16 * KiB}, ${number}), 0, ${16 * KiB}, at)
       fs.fsyncSync(fd)`,
      mounted.disk,
    ),
  )
  const codes = await Promise.all(writers.map(async writer => (await once(writer, 'close'))[0]))
  t.deepEqual(codes, [0, 0, 0, 0])
  const cluster = Buffer.concat([1, 2, 3, 4].map(number => Buffer.alloc(16 * KiB, number)))
  const expected = Buffer.alloc(24 * MiB, cluster)
  t.true((await readFile(mounted.disk)).subarray(0, 24 * MiB).equals(expected))
  await mounted.unmount()
  t.is((await work.rawmount('check', image)).code, 0)
})

async function fingerprint(path: string): Promise<{ hash: string; modified: number }> {
  const hash = createHash('sha256')
    .update(await readFile(path))
    .digest('hex')
  return { hash, modified: (await stat(path)).mtimeMs }
}

function firstWord(text: string): string {
  return text.split(/\s/)[0]!
}
