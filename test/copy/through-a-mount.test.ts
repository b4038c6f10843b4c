import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, open, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises'
import test, { type ExecutionContext } from 'ava'
import { openImage } from '../../src/disk/open.js'
import { IoBuffer } from '../../src/libc/io-buffer.js'
import type { MountStatus } from '../../src/mount/status/status.js'
import { type Mounted, type Scratch, scratch } from '../support/mounting.js'
import { pattern } from '../support/pattern.js'
import { type Random, seeded } from '../support/random.js'
import { SlowMount } from '../support/slow-mount.js'
import { lacks, run, succeed, until } from '../support/tools.js'

/** Copying up as a user has it: the built program, a base on a slow mount, loop devices, file systems. */
const MIB = 1 << 20

const FVD = ['-f', 'fvd', '-o', 'compact_image=on,copy_on_read=on']
const QED = ['-f', 'qed']

interface Library {
  readonly work: Scratch
  /** Where base.raw really is. */
  readonly directory: string
  readonly base: string
  readonly slow: SlowMount
}

/** A base with these bytes, or with `size` bytes of a pattern, behind a slow mount. */
async function library(
  t: ExecutionContext,
  contents: Uint8Array | null = null,
  size = 24 * MIB,
): Promise<Library> {
  const work = await scratch(t)
  const directory = await work.directory('library')
  const base = `${directory}/base.raw`
  await writeFile(base, contents ?? pattern(0, size, 1, 1))
  return { work, directory, base, slow: await SlowMount.start(work, 'slow', directory) }
}

async function create({ work, slow }: Library, name: string, options: readonly string[]): Promise<string> {
  const image = work.join(name)
  await work.rawmounts('create', '-q', ...options, '-b', slow.file('base.raw'), '-F', 'raw', image)
  return image
}

/** Closed at the end of the test, however it ends: a handle of a mount that is gone cannot be. */
async function openDisk(t: ExecutionContext, mounted: Mounted, flags: string) {
  const disk = await open(mounted.disk, flags)
  t.teardown(() => disk.close().catch(() => {}))
  return disk
}

async function untilPrefetch(mounted: Mounted, state: string): Promise<void> {
  await until(async () => (await mounted.status()).prefetch.state === state)
}

/** The first status that is as wanted. */
async function statusWhen(mounted: Mounted, wanted: (status: MountStatus) => boolean): Promise<MountStatus> {
  let status = await mounted.status()
  await until(async () => {
    if (wanted(status)) return true
    status = await mounted.status()
    return wanted(status)
  })
  return status
}

async function syncDisk(mounted: Mounted): Promise<void> {
  const disk = await open(mounted.disk, 'r')
  await disk.sync()
  await disk.close()
}

/** What the image shows, with whatever base it still needs. */
function contentsOf(path: string): Buffer {
  const image = openImage(path)
  const buffer = new IoBuffer(image.disk.size)
  image.disk.read(0, buffer.length, buffer, 0)
  image.close()
  return Buffer.from(buffer.bytes)
}

/** An ext4 file system with some files in it, and their hashes. */
async function makeFileSystem(work: Scratch, random: Random) {
  const tree = await work.directory('tree')
  const hashes = new Map<string, string>()
  for (let n = 0; n < 60; n++) {
    const directory = `${tree}/d${n % 7}`
    await mkdir(directory, { recursive: true })
    const bytes = pattern(0, random.between(1, 700) * 1024, n, 2)
    await writeFile(`${directory}/f${n}`, bytes)
    hashes.set(`d${n % 7}/f${n}`, hashOf(bytes))
  }
  const file = work.join('made.raw')
  await writeFile(file, '')
  await truncate(file, 64 * MIB)
  await succeed('mkfs.ext4', '-q', '-d', tree, file)
  const bytes = await readFile(file)
  await rm(tree, { recursive: true })
  await rm(file)
  return { bytes, hashes }
}

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

for (const [format, options, more] of [
  ['fvd', FVD, []],
  ['qed', QED, ['--copy-on-read=on', '--detach']],
] as const) {
  test(`${format}: files are read while their file system is fetched from a slow base; then the base goes, and all is there`, async t => {
    if (lacks(t, 'root', 'mkfs.ext4', 'e2fsck')) return
    const { bytes, hashes } = await makeFileSystem(await scratch(t), seeded(t))
    const place = await library(t, bytes)
    const { work, slow, base } = place
    await slow.set({ rate: 60 * MIB, latency: 1 })
    const image = await create(place, `vm.${format}`, options)
    const mounted = await work.mount(image, '--prefetch=on', ...more)
    const device = await work.loop(mounted.disk)
    const files = await work.mountDevice(device, 'files')
    for (const [name, hash] of hashes) t.is(hashOf(await readFile(`${files}/${name}`)), hash, name)
    await writeFile(`${files}/new`, 'written while the rest was fetched')
    await untilPrefetch(mounted, 'done')
    const { base: left } = await mounted.status()
    t.is(left!.remaining, 0)

    await slow.stop()
    await rm(base)
    t.is(await readFile(`${files}/new`, 'utf8'), 'written while the rest was fetched')
    await succeed('umount', files)
    await work.detach(device)
    await mounted.unmount()

    const info = await work.rawmounts('info', image)
    if (format === 'fvd') t.regex(info, /all_data_in_fvd_img: 1/)
    else t.notRegex(info, /backing file/)
    t.is((await work.rawmount('check', image)).code, 0)
    const again = await work.mount(image)
    t.is((await run('e2fsck', ['-fn', again.disk])).code, 0)
    const loop = await work.loop(again.disk)
    const mountedAgain = await work.mountDevice(loop, 'files')
    for (const [name, hash] of hashes) t.is(hashOf(await readFile(`${mountedAgain}/${name}`)), hash, name)
    await succeed('umount', mountedAgain)
    await work.detach(loop)
    return again.unmount()
  })
}

test('a base that fails in the middle pauses prefetching and says why; what is in the image is read; when it is back, all is fetched', async t => {
  if (lacks(t, 'root')) return
  const place = await library(t)
  const { work, slow, base } = place
  await slow.set({ rate: 20 * MIB })
  const image = await create(place, 'vm.fvd', FVD)
  const mounted = await work.mount(image, '--prefetch=on')
  await until(async () => (await mounted.status()).prefetch.copied > 2 * MIB)
  await slow.set({ fail: 'EIO', rate: null })
  await untilPrefetch(mounted, 'paused')
  t.regex(
    (await mounted.status()).prefetch.reason!,
    /slow\/base\.raw: pread: .*EIO.*; trying again every \d+ s/,
  )
  const disk = await openDisk(t, mounted, 'r+')
  const read = async (offset: number) => (await disk.read(Buffer.alloc(4096), 0, 4096, offset)).buffer
  const expected = await readFile(base)
  t.true((await read(MIB)).equals(expected.subarray(MIB, MIB + 4096)))
  await t.throwsAsync(read(20 * MIB), { code: 'EIO' })
  await disk.write(Buffer.alloc(MIB, 7), 0, MIB, 16 * MIB)
  await disk.sync()
  expected.fill(7, 16 * MIB, 17 * MIB)
  await slow.set({ fail: null })
  await untilPrefetch(mounted, 'done')
  await disk.close()
  await mounted.unmount()
  t.true(contentsOf(image).equals(expected))
})

test('a base that becomes shorter is an error for who needs the rest, and no zeros are kept for it', async t => {
  if (lacks(t, 'root')) return
  const place = await library(t)
  const { work, slow, base } = place
  const image = await create(place, 'vm.fvd', FVD)
  await slow.set({ visibleSize: 12 * MIB })
  t.regex(
    (await work.rawmount('mount', image, await work.directory('small'))).stderr,
    /base\.raw|base_img_size/,
  )
  await slow.set({ visibleSize: null })
  const mounted = await work.mount(image)
  await slow.set({ visibleSize: 12 * MIB })
  const disk = await openDisk(t, mounted, 'r')
  await t.throwsAsync(disk.read(Buffer.alloc(4096), 0, 4096, 20 * MIB), { code: 'EIO' })
  await disk.read(Buffer.alloc(4096), 0, 4096, MIB)
  await disk.close()
  await slow.set({ visibleSize: null })
  await mounted.unmount()
  t.true(contentsOf(image).equals(await readFile(base)))
})

test('a full file system pauses prefetching and says so; what is in the image is read and written, and with room all is fetched', async t => {
  if (lacks(t, 'root')) return
  const place = await library(t)
  const { work, base } = place
  const small = await work.directory('small')
  await succeed('mount', '-t', 'tmpfs', '-o', 'size=12M', 'none', small)
  const image = await create(place, 'small/vm.fvd', ['-f', 'fvd', '-o', 'compact_image=on,journal_size=64K'])
  const mounted = await work.mount(image, '--prefetch=on')
  await untilPrefetch(mounted, 'paused')
  t.regex((await mounted.status()).prefetch.reason!, /ENOSPC|no space/i)
  const disk = await openDisk(t, mounted, 'r+')
  const expected = await readFile(base)
  await disk.write(Buffer.alloc(65536, 9), 0, 65536, 65536)
  expected.fill(9, 65536, 2 * 65536)
  const all = Buffer.alloc(24 * MIB)
  for (let at = 0; at < all.length; at += MIB) await disk.read(all, at, MIB, at)
  t.true(all.equals(expected))
  await succeed('mount', '-o', 'remount,size=100M', small)
  await untilPrefetch(mounted, 'done')
  await disk.sync()
  await disk.close()
  await mounted.unmount()
  t.is((await work.rawmount('check', image)).code, 0)
  await rename(base, `${base}.gone`)
  t.true(contentsOf(image).equals(all))
  await succeed('umount', small)
})

test('killed at 50 points of a prefetch, it goes on from the last commit, and ends with what the base has', async t => {
  if (lacks(t, 'root')) return
  // Alone on a busy machine, a hundred processes take a while to start.
  t.timeout(600_000)
  const random = seeded(t)
  const place = await library(t)
  const { work, slow, base } = place
  await slow.set({ rate: 12 * MIB })
  const points: number[] = []
  const images: string[] = []
  while (points.length < 50) {
    const image = await create(place, `vm${images.length}.fvd`, FVD)
    images.push(image)
    let kept = 0
    for (;;) {
      const mounted = await work.mount(image, '--prefetch=on')
      const { base: found } = await statusWhen(mounted, ({ base: left }) => left?.remaining !== null)
      // It was done in the moment before it was killed, and needs no base any more.
      if (found === null) {
        await mounted.unmount()
        break
      }
      t.true(found.total - found.remaining! >= kept, 'what was committed is not fetched again')
      const goal = random.below(MIB)
      const {
        pid,
        prefetch,
        base: left,
      } = await statusWhen(mounted, ({ prefetch: { copied, state } }) => copied >= goal || state === 'done')
      if (prefetch.state === 'done' || points.length === 50) {
        await slow.set({ rate: null })
        await untilPrefetch(mounted, 'done')
        await slow.set({ rate: 12 * MIB })
        await mounted.unmount()
        break
      }
      const stored = left!.total - left!.remaining!
      if (random.chance(0.5)) {
        await syncDisk(mounted)
        kept = stored
      }
      process.kill(pid, 'SIGKILL')
      await until(() => !existsSync(`/proc/${pid}`))
      points.push(stored)
    }
  }
  t.log(`killed with MiB stored: ${points.map(point => Math.round(point / MIB)).join(' ')}`)
  const expected = await readFile(base)
  await rm(base)
  for (const image of images) {
    t.is((await work.rawmount('check', image)).code, 0)
    t.true(contentsOf(image).equals(expected))
  }
})

test('with copy-on-read each block of the base is read once in the life of an image, however often it is read and opened, and after a crash, too', async t => {
  if (lacks(t, 'root')) return
  const random = seeded(t)
  const place = await library(t)
  const { work, slow } = place
  // Room for all that is read, so that none of it is skipped however late the copier comes.
  const roomy = 'compact_image=on,block_size=64K,max_outstanding_copy_on_read_data=64M'
  const image = await create(place, 'vm.fvd', ['-f', 'fvd', '-o', roomy])
  for (let life = 0; life < 4; life++) {
    const mounted = await work.mount(image, '--copy-on-read=on', '--cache=none')
    const disk = await openDisk(t, mounted, 'r+')
    for (let n = 0; n < 40; n++) {
      const offset = random.below(24 * MIB - 65536)
      if (random.chance(0.2)) await disk.write(Buffer.alloc(100, n), 0, 100, offset)
      else await disk.read(Buffer.alloc(65536), 0, random.between(1, 65536), offset)
    }
    await until(async () => (await mounted.status()).copyOnRead.queued === 0)
    t.is((await mounted.status()).copyOnRead.skipped, 0)
    await disk.sync()
    await disk.close()
    if (life % 2 === 0) await mounted.unmount()
    else {
      const { pid } = await mounted.status()
      process.kill(pid, 'SIGKILL')
      await until(() => !existsSync(`/proc/${pid}`))
    }
  }
  const seen = new Set<number>()
  for (const { offset, length } of await slow.reads()) {
    // What finds out how long the file is, and of which format.
    if (length < 65536) continue
    for (let at = offset; at < offset + length; at += 65536) {
      t.false(seen.has(at), `the block at ${at}`)
      seen.add(at)
    }
  }
  t.true(seen.size > 50)
})
