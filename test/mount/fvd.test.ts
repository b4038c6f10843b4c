import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import ava, { type ExecutionContext } from 'ava'
import { type Mounted, type Scratch, scratch } from '../support/mounting.js'
import { type Random, seeded } from '../support/random.js'
import { lacks, run, succeed } from '../support/tools.js'

// One at a time: each keeps the machine busy by itself.
const test = ava.serial

/** FVD images through real mounts: file systems, fio, and daemons that are killed. */
const MiB = 1 << 20
const SIZE = 96 * MiB

interface Layout {
  readonly options: string
  /** The format of the base; null: none. */
  readonly base: 'raw' | 'qed' | null
}

const LAYOUTS: Record<string, Layout> = {
  'flat over a raw base': { options: 'block_size=4096', base: 'raw' },
  'flat over a QED base': { options: 'block_size=64K', base: 'qed' },
  'compact over a raw base': {
    options: 'compact_image=on,chunk_size=64K,block_size=7680,storage_grow_unit=1M',
    base: 'raw',
  },
  'compact over a QED base, with a data file': {
    options: 'compact_image=on,chunk_size=1M,block_size=512,data_file=data',
    base: 'qed',
  },
  'compact without a base': { options: 'compact_image=on,chunk_size=4K,journal_size=128K', base: null },
}

/** An image over a base that is half full. */
async function makeImage(work: Scratch, { options, base }: Layout): Promise<string> {
  const image = work.join('disk.fvd')
  const more: string[] = []
  if (base !== null) {
    await writeFile(work.join('base.raw'), Buffer.alloc(SIZE / 2, 'base '))
    if (base === 'qed') {
      await succeed(
        'qemu-img',
        'convert',
        '-f',
        'raw',
        '-O',
        'qed',
        work.join('base.raw'),
        work.join('base.qed'),
      )
    }
    more.push('-b', `base.${base}`, '-F', base)
  }
  await work.rawmounts('create', '-q', '-f', 'fvd', ...more, '-o', options, image, `${SIZE}`)
  return image
}

async function mustCheck(
  t: ExecutionContext,
  work: Scratch,
  image: string,
  allowed: readonly number[],
): Promise<void> {
  const { code, stdout, stderr } = await work.rawmount('check', image)
  t.true(allowed.includes(code!), `check ended with ${code}: ${stdout}${stderr}`)
}

async function writeFiles(directory: string, random: Random): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>()
  await mkdir(join(directory, 'folder'), { recursive: true })
  for (let number = 0; number < 30; number++) {
    const bytes = Buffer.alloc(random.below(random.pick([10, 5000, 400_000])))
    for (let at = 0; at + 4 <= bytes.length; at += 4) bytes.writeUInt32LE(random.word(), at)
    const name = `folder/${random.below(1000)}`
    files.set(name, bytes)
    await writeFile(join(directory, name), bytes)
  }
  return files
}

async function mustHold(t: ExecutionContext, directory: string, files: Map<string, Buffer>): Promise<void> {
  for (const [name, bytes] of files) t.true(bytes.equals(await readFile(join(directory, name))), name)
}

async function kill(work: Scratch, mounted: Mounted): Promise<void> {
  const { pid } = await mounted.status()
  process.kill(pid, 'SIGKILL')
  if ((await work.processes(5000)).length > 0) throw new Error('the daemon survived SIGKILL')
}

for (const [name, layout] of Object.entries(LAYOUTS)) {
  test(`FVD, ${name}: ext4 on a loop device keeps its files when the daemon is killed, and its check is clean`, async t => {
    if (lacks(t, 'root', 'losetup', 'qemu-img', 'mkfs.ext4', 'e2fsck')) return
    const work = await scratch(t)
    const random = seeded(t)
    const image = await makeImage(work, layout)
    let mounted = await work.mount(image)
    let device = await work.loop(mounted.disk)
    await succeed('mkfs.ext4', '-q', '-F', device)
    let directory = await work.mountDevice(device, 'files')
    const files = await writeFiles(directory, random)
    await succeed('sync', '-f', directory)
    await kill(work, mounted)
    // The file system in the loop device has lost its disk.
    await run('umount', [directory])
    await work.detach(device)
    await mustCheck(t, work, image, [0, 3])

    mounted = await work.mount(image)
    device = await work.loop(mounted.disk)
    directory = await work.mountDevice(device, 'files')
    await mustHold(t, directory, files)
    await succeed('umount', directory)
    const check = await run('e2fsck', ['-f', '-n', device])
    t.is(check.code, 0, check.stdout)
    await work.detach(device)
    await mounted.unmount()
    await mustCheck(t, work, image, [0, 3])
  })

  test(`FVD, ${name}: fio verifies what it wrote, also after a kill`, async t => {
    if (lacks(t, 'root', 'fio', 'qemu-img')) return
    const work = await scratch(t)
    const image = await makeImage(work, layout)
    let mounted = await work.mount(image)
    const job = [
      '--name=verified',
      '--size=24m',
      '--fallocate=none',
      '--rw=randwrite',
      '--bsrange=512-96k',
      '--verify=crc32c',
      '--verify_fatal=1',
      '--randseed=7',
    ]
    const written = await run(
      'fio',
      [...job, `--filename=${mounted.disk}`, '--fsync=40', '--end_fsync=1', '--do_verify=1'],
      { cwd: work.path },
    )
    t.is(written.code, 0, written.stdout + written.stderr)
    const other = work.start(
      'dd',
      'if=/dev/zero',
      `of=${mounted.disk}`,
      'bs=64k',
      'seek=600',
      'count=400',
      'conv=notrunc',
    )
    const ended = once(other, 'close')
    await kill(work, mounted)
    await ended
    await mustCheck(t, work, image, [0, 3])
    mounted = await work.mount(image)
    const verified = await run('fio', [...job, `--filename=${mounted.disk}`, '--verify_only=1'], {
      cwd: work.path,
    })
    t.is(verified.code, 0, verified.stdout + verified.stderr)
    await mounted.unmount()
    await mustCheck(t, work, image, [0, 3])
  })
}

test('trim in the guest gives storage of an FVD image back', async t => {
  if (lacks(t, 'root', 'losetup', 'mkfs.ext4', 'fstrim')) return
  const work = await scratch(t)
  const image = await makeImage(work, LAYOUTS['compact without a base']!)
  const mounted = await work.mount(image)
  const device = await work.loop(mounted.disk)
  await succeed('mkfs.ext4', '-q', '-F', device)
  const directory = await work.mountDevice(device, 'files')
  await writeFile(join(directory, 'large'), Buffer.alloc(32 * MiB, 7))
  await succeed('sync', '-f', directory)
  const full = await allocated(image)
  await succeed('rm', join(directory, 'large'))
  await succeed('sync', '-f', directory)
  await succeed('fstrim', directory)
  t.true((await allocated(image)) < full - 24 * MiB)
  await succeed('umount', directory)
  await work.detach(device)
  await mounted.unmount()
  await mustCheck(t, work, image, [0, 3])
})

async function allocated(path: string): Promise<number> {
  return Number(await succeed('stat', '--format=%b', path)) * 512
}
