import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import ava from 'ava'
import { NEEDS, type Scratch, scratch, TRANSPORTS } from '../support/mounting.js'
import { type Random, seeded } from '../support/random.js'
import { lacks, run, succeed } from '../support/tools.js'

// One at a time: each keeps the machine busy by itself.
const test = ava.serial

/** What users do with disk.raw: a loop device on it, a file system in that, files in the file system. */
const MiB = 1024 * 1024

const FILE_SYSTEMS = {
  ext4: { make: ['mkfs.ext4', '-q', '-F'], check: ['e2fsck', '-f', '-n'], size: 128 * MiB, options: [] },
  // Below 300 MB mkfs.xfs refuses.
  xfs: {
    make: ['mkfs.xfs', '-q', '-f'],
    check: ['xfs_repair', '-n'],
    size: 320 * MiB,
    options: ['-o', 'nouuid'],
  },
} as const

/** Files of many sizes, in directories; returns them by name. */
async function writeFiles(directory: string, random: Random): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>()
  for (let number = 0; number < 60; number++) {
    const length = number === 0 ? 9 * MiB + 77 : random.below(random.pick([10, 5000, 200_000]))
    const bytes = Buffer.alloc(length)
    for (let at = 0; at + 4 <= length; at += 4) bytes.writeUInt32LE(random.word(), at)
    files.set(`folder ${number % 7}/file ${number}`, bytes)
  }
  for (const [name, bytes] of files) {
    await mkdir(join(directory, name, '..'), { recursive: true })
    await writeFile(join(directory, name), bytes)
  }
  return files
}

async function differing(directory: string, files: Map<string, Buffer>): Promise<string[]> {
  const wrong: string[] = []
  for (const [name, bytes] of files) {
    if (!bytes.equals(await readFile(join(directory, name)))) wrong.push(name)
  }
  return wrong
}

async function detach(work: Scratch, directory: string, device: string): Promise<void> {
  await succeed('umount', work.join(directory))
  await work.detach(device)
}

for (const transport of TRANSPORTS) {
  for (const [name, system] of Object.entries(FILE_SYSTEMS)) {
    test(`${transport}: ${name} on a loop device keeps its files over unmounting, and its check is clean`, async t => {
      if (lacks(t, ...NEEDS[transport], 'losetup', 'qemu-img', system.make[0], system.check[0])) return
      const work = await scratch(t)
      const image = await work.create('disk.qed', `${system.size}`)
      let mounted = await work.mount(image, '--transport', transport)
      let device = await work.loop(mounted.disk)
      await succeed(system.make[0], ...system.make.slice(1), device)
      const files = await writeFiles(await work.mountDevice(device, 'files'), seeded(t))
      await detach(work, 'files', device)
      await mounted.unmount()

      t.is((await work.rawmount('check', image)).code, 0)
      t.is((await run('qemu-img', ['check', image])).code, 0)

      mounted = await work.mount(image, '--transport', transport)
      device = await work.loop(mounted.disk)
      t.deepEqual(await differing(await work.mountDevice(device, 'files', '-o', 'ro'), files), [])
      await succeed('umount', work.join('files'))
      const check = await run(system.check[0], [...system.check.slice(1), device])
      t.is(check.code, 0, check.stdout)
      await work.detach(device)
      await mounted.unmount()
    })
  }

  test(`${transport}: partitions made by sfdisk hold file systems at their offsets`, async t => {
    if (lacks(t, ...NEEDS[transport], 'losetup', 'sfdisk', 'mkfs.ext4', 'e2fsck')) return
    const work = await scratch(t)
    const image = await work.create('disk.qed', '-o', 'cluster_size=4K', '192M')
    let mounted = await work.mount(image, '--transport', transport)
    const layout = 'label: gpt\nsize=64MiB, type=linux\nsize=64MiB, type=linux\n'
    const parted = await run('sfdisk', ['--quiet', mounted.disk], { input: layout })
    t.is(parted.code, 0, parted.stderr)
    const table = JSON.parse(await succeed('sfdisk', '--json', mounted.disk)) as {
      partitiontable: { partitions: { start: number; size: number }[] }
    }
    const { partitions } = table.partitiontable
    t.is(partitions.length, 2)

    const contents: Map<string, Buffer>[] = []
    const random = seeded(t)
    const devices: string[] = []
    for (const [number, { start, size }] of partitions.entries()) {
      const device = await work.loop(mounted.disk, start * 512, size * 512)
      devices.push(device)
      await succeed('mkfs.ext4', '-q', '-F', device)
      contents.push(await writeFiles(await work.mountDevice(device, `partition ${number}`), random))
    }
    for (const [number, device] of devices.entries()) {
      await detach(work, `partition ${number}`, device)
    }
    await mounted.unmount()

    mounted = await work.mount(image, '--transport', transport, '-r')
    for (const [number, { start, size }] of partitions.entries()) {
      const device = await work.loop(mounted.disk, start * 512, size * 512)
      const check = await run('e2fsck', ['-f', '-n', device])
      t.is(check.code, 0, check.stdout)
      const directory = await work.mountDevice(device, `partition ${number}`, '-o', 'ro')
      t.deepEqual(await differing(directory, contents[number]!), [])
      await detach(work, `partition ${number}`, device)
    }
    await mounted.unmount()
    t.is((await work.rawmount('check', image)).code, 0)
  })
}

test('trim in the guest gives storage of the image back', async t => {
  if (lacks(t, 'root', 'losetup', 'mkfs.ext4', 'fstrim')) return
  const work = await scratch(t)
  const image = await work.create('disk.qed', '128M')
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
  const trimmed = await allocated(image)
  t.true(trimmed < full - 24 * MiB, `${full} bytes before, ${trimmed} after`)
  await detach(work, 'files', device)
  await mounted.unmount()
  t.is((await work.rawmount('check', image)).code, 0)
})

async function allocated(path: string): Promise<number> {
  return Number(await succeed('stat', '--format=%b', path)) * 512
}
