import { closeSync, openSync, readSync, writeFileSync } from 'node:fs'
import { type FileHandle, open, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { lseek, SEEK_DATA, SEEK_HOLE } from '../../src/libc/files.js'
import type { PartitionsText } from '../../src/mount/partition-files/partitions-text.js'
import { put, sfdisk } from '../partitions/support/disks.js'
import { type Mounted, NEEDS, type Scratch, scratch, TRANSPORTS } from '../support/mounting.js'
import { seeded } from '../support/random.js'
import { lacks, run, succeed, until } from '../support/tools.js'

/** p1.raw and its like, as programs see and use them. */
const KiB = 1024
const MiB = 1024 * KiB
const PAGE = 4 * KiB
const KERNEL = [...NEEDS.kernel, 'sfdisk']
const FORMATS = ['qed', 'fvd'] as const

/** Two partitions of 16 and 40 MiB, at 1 and 17 MiB. */
const TWO = 'label: gpt\n2048,32768\n34816,81920\n'
const FIRST = { offset: MiB, size: 16 * MiB }

async function partitioned(work: Scratch, script: string, ...options: string[]): Promise<Mounted> {
  const mounted = await work.mount(await work.create('disk.qed', '64M'), ...options)
  await sfdisk(mounted.disk, script)
  return mounted
}

function part(mounted: Mounted, number: number): string {
  return join(mounted.mountpoint, `p${number}.raw`)
}

async function partitions(mounted: Mounted): Promise<PartitionsText> {
  return JSON.parse(
    await readFile(join(mounted.mountpoint, '.rawmount/partitions.json'), 'utf8'),
  ) as PartitionsText
}

async function handle(t: { teardown(action: () => Promise<void>): void }, path: string): Promise<FileHandle> {
  const file = await open(path, 'r+')
  t.teardown(() => file.close().catch(() => {}))
  return file
}

async function read(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length)
  const { bytesRead } = await file.read(buffer, 0, length, offset)
  return buffer.subarray(0, bytesRead)
}

async function put1(file: FileHandle, offset: number, length: number, value: number): Promise<void> {
  await file.write(Buffer.alloc(length, value), 0, length, offset)
}

/** At once: a promise takes its time. */
function firstByte(path: string, offset: number): number {
  const fd = openSync(path, 'r')
  try {
    const buffer = Buffer.alloc(512)
    readSync(fd, buffer, 0, buffer.length, offset)
    return buffer[0]!
  } finally {
    closeSync(fd)
  }
}

/** A loop device that goes by itself does so when the last who looks at it has gone. */
async function unmountLoop(directory: string, file: string): Promise<void> {
  await succeed('umount', directory)
  await until(async () => (await succeed('losetup', '--associated', file)) === '')
}

test('with the write-back cache, what is written beyond the end is told later, and each file has its size again', async t => {
  if (lacks(t, ...KERNEL)) return
  const work = await scratch(t)
  const mounted = await partitioned(work, TWO)
  for (const [path, size] of [
    [part(mounted, 1), FIRST.size],
    [part(mounted, 2), 40 * MiB],
    [mounted.disk, 64 * MiB],
  ] as const) {
    const file = await open(path, 'r+')
    // Each in pages of its own: beyond the end, far beyond it, and over it.
    await file.write(Buffer.alloc(512, 1), 0, 512, size)
    await file.write(Buffer.alloc(512, 1), 0, 512, 2 ** 40)
    await file.write(Buffer.alloc(2 * PAGE, 2), 0, 2 * PAGE, size - PAGE)
    await t.throwsAsync(file.sync(), { code: 'ENOSPC' })
    await until(async () => (await file.stat()).size === size)
    // What is not beyond it is there.
    t.true((await read(file, size - PAGE, 2 * PAGE)).equals(Buffer.alloc(PAGE, 2)))
    await file.sync()
    await file.close()
    t.is((await stat(path)).size, size)
  }
  // What is behind the first belongs to the second.
  t.true((await readFile(part(mounted, 2))).subarray(0, MiB).equals(Buffer.alloc(MiB)))
  await mounted.unmount()
})

for (const transport of TRANSPORTS) {
  test(`${transport}: each partition is a file of its size, and what it holds is on the disk`, async t => {
    if (lacks(t, ...NEEDS[transport], 'sfdisk')) return
    const work = await scratch(t)
    const mounted = await partitioned(work, TWO, '--transport', transport)
    t.deepEqual(await readdir(mounted.mountpoint), ['.rawmount', 'disk.raw', 'p1.raw', 'p2.raw'])
    t.is((await stat(part(mounted, 1))).size, FIRST.size)
    t.is((await stat(part(mounted, 2))).size, 40 * MiB)
    t.is((await stat(part(mounted, 1))).mode & 0o7777, 0o600)
    for (const name of ['p0.raw', 'p3.raw', 'p01.raw', 'p1', 'p1.raw.bak']) {
      await t.throwsAsync(stat(join(mounted.mountpoint, name)), { code: 'ENOENT' })
    }
    await writeFile(part(mounted, 1), Buffer.alloc(MiB, 'first'))
    await writeFile(part(mounted, 2), Buffer.alloc(MiB, 'second'))
    await mounted.unmount()

    const again = await work.mount(mounted.image, '--transport', transport, '-r')
    const disk = await readFile(again.disk)
    t.true(disk.subarray(FIRST.offset, FIRST.offset + MiB).equals(Buffer.alloc(MiB, 'first')))
    t.true(disk.subarray(17 * MiB, 18 * MiB).equals(Buffer.alloc(MiB, 'second')))
    t.true((await readFile(part(again, 1))).equals(disk.subarray(MiB, 17 * MiB)))
    await again.unmount()
  })

  test(`${transport}: a partition ends as a block device does, and keeps its size`, async t => {
    if (lacks(t, ...NEEDS[transport], 'sfdisk')) return
    const work = await scratch(t)
    const mounted = await partitioned(work, TWO, '--transport', transport, '--cache', 'none')
    const file = await handle(t, part(mounted, 1))
    t.is((await file.write(Buffer.alloc(2 * PAGE, 1), 0, 2 * PAGE, FIRST.size - PAGE)).bytesWritten, PAGE)
    await t.throwsAsync(file.write(Buffer.alloc(512), 0, 512, FIRST.size), { code: 'ENOSPC' })
    t.is((await read(file, FIRST.size - PAGE, 2 * PAGE)).length, PAGE)
    await t.throwsAsync(file.truncate(MiB), { code: 'EINVAL' })
    await file.truncate(0)
    t.is((await file.stat()).size, FIRST.size)
    await file.close()
    // What is behind it belongs to the next one.
    t.true((await readFile(part(mounted, 2))).subarray(0, MiB).equals(Buffer.alloc(MiB)))
    await mounted.unmount()
  })

  test(`${transport}: a partition of a read-only mount cannot be written`, async t => {
    if (lacks(t, ...NEEDS[transport], 'sfdisk')) return
    const work = await scratch(t)
    const writable = await partitioned(work, TWO, '--transport', transport)
    await writable.unmount()
    const mounted = await work.mount(writable.image, '--transport', transport, '-r')
    t.is((await stat(part(mounted, 1))).mode & 0o7777, 0o400)
    await t.throwsAsync(open(part(mounted, 1), 'r+'), { code: 'EROFS' })
    t.is((await readFile(part(mounted, 1))).length, FIRST.size)
    await mounted.unmount()
  })

  test(`${transport}: what one file was closed over, a later open of another sees`, async t => {
    if (lacks(t, ...NEEDS[transport], 'sfdisk')) return
    const work = await scratch(t)
    const mounted = await partitioned(work, TWO, '--transport', transport)
    for (const value of [1, 2, 3]) {
      // Both have their pages in the cache from here on.
      await readFile(mounted.disk)
      await readFile(part(mounted, 1))
      await put(part(mounted, 1), 8 * PAGE, Buffer.alloc(PAGE, value))
      t.is((await readFile(mounted.disk))[MiB + 8 * PAGE], value)
      await put(mounted.disk, MiB + 9 * PAGE, Buffer.alloc(PAGE, value + 10))
      t.is((await readFile(part(mounted, 1)))[9 * PAGE], value + 10)
    }
    await mounted.unmount()
  })

  test(`${transport}: a later open sees the last of several writes within a millisecond`, async t => {
    if (lacks(t, ...NEEDS[transport], 'sfdisk')) return
    const work = await scratch(t)
    const mounted = await partitioned(work, TWO, '--transport', transport)
    let old = 0
    for (let value = 0; value < 400; value++) {
      writeFileSync(part(mounted, 1), Buffer.alloc(512, value % 251), { flag: 'r+' })
      if (firstByte(mounted.disk, MiB) !== value % 251) old++
    }
    t.is(old, 0)
    await mounted.unmount()
  })
}

test('partitions.json says what sfdisk says', async t => {
  if (lacks(t, ...KERNEL)) return
  const work = await scratch(t)
  const mounted = await partitioned(work, 'label: gpt\n2048,32768,U,*\nname="übrig"\n')
  const { partitiontable } = JSON.parse(await succeed('sfdisk', '--json', mounted.disk))
  const { scheme, sectorSize, source, warnings, partitions: listed } = await partitions(mounted)
  t.deepEqual(
    { scheme, sectorSize, source, warnings },
    { scheme: 'gpt', sectorSize: 512, source: 'primary', warnings: [] },
  )
  t.deepEqual(
    listed.map(({ file, offset, size, type, uuid, name }) => [
      join(mounted.mountpoint, file),
      offset / 512,
      size / 512,
      type.toUpperCase(),
      uuid?.toUpperCase(),
      name,
    ]),
    partitiontable.partitions.map((it: Record<string, unknown>, index: number) => [
      part(mounted, index + 1),
      it.start,
      it.size,
      it.type,
      it.uuid,
      it.name ?? '',
    ]),
  )
  t.is(listed[0]!.typeName, 'EFI system')
  await mounted.unmount()
})

test('a damaged table shows what is left of it, and says in partitions.json what is wrong', async t => {
  if (lacks(t, ...KERNEL)) return
  const work = await scratch(t)
  const mounted = await partitioned(work, TWO)
  await put(mounted.disk, 512 + 24, [0xff])
  const { source, warnings } = await partitions(mounted)
  t.is(source, 'backup')
  t.regex(
    warnings[0]!,
    /the GPT in sector 1 does not match its checksum; its backup in sector 131071 is used/,
  )
  t.is((await stat(part(mounted, 2))).size, 40 * MiB)
  await put(mounted.disk, 0, Buffer.alloc(512, 0xf6))
  t.is((await partitions(mounted)).scheme, 'none')
  t.deepEqual(await readdir(mounted.mountpoint), ['.rawmount', 'disk.raw'])
  await mounted.unmount()
})

for (const format of FORMATS) {
  test(`two partitions of an image in ${format} are mounted by loop at once, and their file systems are sound`, async t => {
    if (lacks(t, ...KERNEL, 'mkfs.ext4', 'e2fsck', 'losetup')) return
    const work = await scratch(t)
    const image = await work.create('disk.img', '-f', format, '64M')
    const mounted = await work.mount(image)
    await sfdisk(mounted.disk, 'label: dos\n2048,32768\n,,5\n,,83\n')
    t.is((await stat(part(mounted, 2))).size, KiB)
    const text = Buffer.alloc(5 * MiB, 'what a file holds')
    for (const number of [1, 5]) {
      await succeed('mkfs.ext4', '-q', part(mounted, number))
      const directory = await work.mountDevice(part(mounted, number), `x${number}`, '-o', 'loop')
      await writeFile(join(directory, 'file'), text)
    }
    for (const number of [1, 5]) await unmountLoop(work.join(`x${number}`), part(mounted, number))
    for (const number of [1, 5]) await succeed('e2fsck', '-fn', part(mounted, number))
    await mounted.unmount()

    const again = await work.mount(image, '-r')
    for (const number of [1, 5]) {
      const directory = await work.mountDevice(part(again, number), `x${number}`, '-o', 'loop,ro')
      t.true((await readFile(join(directory, 'file'))).equals(text))
      await unmountLoop(directory, part(again, number))
    }
    await again.unmount()
    t.is((await work.rawmount('check', image)).code, 0)
  })
}

test('discarding in a partition gives its storage back, and touches nothing beside it', async t => {
  if (lacks(t, ...KERNEL, 'mkfs.ext4', 'fstrim', 'losetup')) return
  const work = await scratch(t)
  const mounted = await partitioned(work, TWO)
  await put(mounted.disk, 17 * MiB, Buffer.alloc(MiB, 7))
  await succeed('mkfs.ext4', '-q', part(mounted, 1))
  const directory = await work.mountDevice(part(mounted, 1), 'x', '-o', 'loop')
  await writeFile(join(directory, 'large'), Buffer.alloc(10 * MiB, 1))
  await succeed('sync', '-f', directory)
  const full = (await stat(mounted.image)).blocks
  await succeed('rm', join(directory, 'large'))
  await succeed('sync', '-f', directory)
  await succeed('fstrim', directory)
  await unmountLoop(directory, part(mounted, 1))
  t.true((await stat(mounted.image)).blocks * 512 < full * 512 - 8 * MiB)
  await succeed('e2fsck', '-fn', part(mounted, 1))
  // A hole that would reach beyond the end is cut there.
  await succeed(
    'fallocate',
    '--punch-hole',
    '--offset',
    `${15 * MiB}`,
    '--length',
    `${8 * MiB}`,
    part(mounted, 1),
  )
  t.true((await readFile(part(mounted, 2))).subarray(0, MiB).equals(Buffer.alloc(MiB, 7)))
  await mounted.unmount()
})

test('SEEK_DATA and SEEK_HOLE count from the beginning of the partition and stay within it', async t => {
  if (lacks(t, ...KERNEL)) return
  const work = await scratch(t)
  const mounted = await partitioned(work, TWO)
  await put(part(mounted, 1), 8 * MiB, Buffer.alloc(64 * KiB, 1))
  await put(part(mounted, 2), 0, Buffer.alloc(64 * KiB, 1))
  await mounted.unmount()
  const again = await work.mount(mounted.image, '-r')
  const file = await open(part(again, 1))
  t.is(lseek(file.fd, 0, SEEK_DATA), 8 * MiB)
  t.is(lseek(file.fd, 8 * MiB, SEEK_HOLE), 8 * MiB + 64 * KiB)
  t.is(lseek(file.fd, 9 * MiB, SEEK_DATA), -1)
  t.is(lseek(file.fd, 9 * MiB, SEEK_HOLE), 9 * MiB)
  await file.close()
  await again.unmount()
})

for (const cache of ['writeback', 'writethrough']) {
  test(`with ${cache}, after fsync each file shows what was written through the other, its cache warm or dirty`, async t => {
    if (lacks(t, ...KERNEL)) return
    const work = await scratch(t)
    const mounted = await partitioned(work, TWO, '--cache', cache)
    const disk = await handle(t, mounted.disk)
    const one = await handle(t, part(mounted, 1))
    const two = await handle(t, part(mounted, 2))
    for (let round = 1; round <= 6; round++) {
      await read(disk, 0, 20 * MiB)
      await read(one, 0, FIRST.size)
      await read(two, 0, MiB)
      // Dirty pages of the one beside those that the other is about to write: neither may be lost.
      await put1(disk, MiB + 2 * PAGE, PAGE, round)
      await put1(one, 3 * PAGE, PAGE, round + 100)
      await put1(two, 0, PAGE, round + 50)
      await one.sync()
      t.is((await read(disk, MiB + 3 * PAGE, 1))[0], round + 100)
      t.is((await read(disk, MiB + 2 * PAGE, 1))[0], round)
      await disk.sync()
      t.is((await read(one, 2 * PAGE, 1))[0], round)
      t.is((await read(one, 3 * PAGE, 1))[0], round + 100)
      await two.datasync()
      t.is((await read(disk, 17 * MiB, 1))[0], round + 50)
      // Zeroing is a write.
      await succeed(
        'fallocate',
        '--punch-hole',
        '--offset',
        `${3 * PAGE}`,
        '--length',
        `${PAGE}`,
        part(mounted, 1),
      )
      t.is((await read(disk, MiB + 3 * PAGE, 1))[0], 0)
    }
    await Promise.all([disk, one, two].map(file => file.close()))
    await mounted.unmount()
  })
}

test('writers through the disk and its partitions at once, all flushing, neither hang nor lose anything', async t => {
  if (lacks(t, ...KERNEL)) return
  const work = await scratch(t)
  const random = seeded(t)
  const mounted = await partitioned(work, TWO, '--threads', '2')
  const views = [
    { path: mounted.disk, start: 0 },
    { path: part(mounted, 1), start: FIRST.offset },
    { path: part(mounted, 1), start: FIRST.offset },
    { path: mounted.disk, start: 0 },
  ]
  const pages = 1024
  const model = Buffer.alloc(pages)
  const writer = async (number: number): Promise<void> => {
    const mine = random.fork(number)
    const { path, start } = views[number]!
    const other = views[(number + 1) % views.length]!
    const file = await open(path, 'r+')
    const reader = await open(other.path, 'r')
    for (let n = 1; n <= 80; n++) {
      // Each has pages of its own, all over the first partition.
      const page = mine.below(pages / views.length) * views.length + number
      const value = mine.between(1, 255)
      await put1(file, FIRST.offset - start + page * PAGE, PAGE, value)
      model[page] = value
      if (mine.chance(0.5)) continue
      await (mine.chance(0.5) ? file.sync() : file.datasync())
      const seen = await read(reader, FIRST.offset - other.start + page * PAGE, PAGE)
      if (!seen.equals(Buffer.alloc(PAGE, value))) throw new Error(`page ${page}: ${seen[0]} is not ${value}`)
    }
    await file.close()
    await reader.close()
  }
  await t.notThrowsAsync(Promise.all(views.map((_, number) => writer(number))))
  for (const { path, start } of views) {
    const seen = (await readFile(path)).subarray(FIRST.offset - start)
    for (let page = 0; page < pages; page++) {
      if (seen[page * PAGE] !== model[page])
        t.fail(`${path}: page ${page} is ${seen[page * PAGE]}, not ${model[page]}`)
    }
  }
  await mounted.unmount()
})

test('when the table changes, names show the new partitions, and an open file goes on showing the old one', async t => {
  if (lacks(t, ...KERNEL)) return
  const work = await scratch(t)
  const mounted = await partitioned(work, 'label: dos\n2048,32768\n')
  await put(part(mounted, 1), 0, Buffer.alloc(PAGE, 1))
  const old = await handle(t, part(mounted, 1))
  t.is((await read(old, 0, 1))[0], 1)
  const before = (await stat(part(mounted, 1))).ino

  await sfdisk(mounted.disk, 'label: dos\n4096,8192\n40960,2048\n')
  t.deepEqual(await readdir(mounted.mountpoint), ['.rawmount', 'disk.raw', 'p1.raw', 'p2.raw'])
  t.is((await stat(part(mounted, 1))).size, 4 * MiB)
  t.not((await stat(part(mounted, 1))).ino, before)
  t.is((await readFile(part(mounted, 1)))[0], 0)
  t.is((await old.stat()).size, 16 * MiB)
  await put1(old, MiB, PAGE, 9)
  await old.sync()
  t.is((await readFile(part(mounted, 1)))[0], 9)
  t.is((await read(old, 0, 1))[0], 1)

  // Growing leaves no page of the smaller one behind.
  await sfdisk(mounted.disk, 'label: dos\n4096,16384\n')
  t.is((await readFile(part(mounted, 1))).length, 8 * MiB)
  await t.throwsAsync(stat(part(mounted, 2)), { code: 'ENOENT' })
  // A table that is written anew and says the same changes nothing.
  const same = (await stat(part(mounted, 1))).ino
  await sfdisk(mounted.disk, 'label: dos\n4096,16384\n')
  t.is((await stat(part(mounted, 1))).ino, same)
  await old.close()
  await mounted.unmount()
})

test('a logical partition appears and goes with its link of the chain', async t => {
  if (lacks(t, ...KERNEL)) return
  const work = await scratch(t)
  const mounted = await partitioned(work, 'label: dos\n2048,2048\n,,5\n,4096\n,4096\n')
  t.is((await stat(part(mounted, 6))).size, 2 * MiB)
  await succeed('sfdisk', '--no-reread', '--no-tell-kernel', '-q', '--delete', mounted.disk, '6')
  await t.throwsAsync(stat(part(mounted, 6)), { code: 'ENOENT' })
  await run('sfdisk', ['--no-reread', '--no-tell-kernel', '-q', '--append', mounted.disk], {
    input: ',8192\n',
  })
  t.is((await stat(part(mounted, 6))).size, 4 * MiB)
  t.is((await stat(part(mounted, 5))).size, 2 * MiB)
  await mounted.unmount()
})

test('with several images each has partitions of its own', async t => {
  if (lacks(t, ...KERNEL)) return
  const work = await scratch(t)
  const images = [await work.create('a.qed', '64M'), await work.create('b.qed', '64M')]
  const directory = await work.directory('many')
  await work.rawmounts('mount', ...images, directory)
  await sfdisk(join(directory, 'a/disk.raw'), TWO)
  await sfdisk(join(directory, 'b/disk.raw'), 'label: dos\n2048,2048\n')
  t.deepEqual((await readdir(join(directory, 'a'))).sort(), ['.rawmount', 'disk.raw', 'p1.raw', 'p2.raw'])
  t.is((await stat(join(directory, 'b/p1.raw'))).size, MiB)
  await readFile(join(directory, 'b/disk.raw'))
  await put(join(directory, 'a/p1.raw'), 0, Buffer.alloc(PAGE, 3))
  await put(join(directory, 'b/p1.raw'), 0, Buffer.alloc(PAGE, 4))
  t.is((await readFile(join(directory, 'a/disk.raw')))[MiB], 3)
  t.is((await readFile(join(directory, 'b/disk.raw')))[MiB], 4)
  await work.rawmounts('umount', directory)
})
