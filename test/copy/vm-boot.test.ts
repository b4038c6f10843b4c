import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { MountStatus } from '../../src/mount/status/status.js'
import { type BootDisk, makeBootDisk } from '../support/guest/boot-disk.js'
import { BOOT_OK } from '../support/guest/initramfs.js'
import { boot } from '../support/guest/machine.js'
import { GUEST_NEEDS } from '../support/guest/packages.js'
import { type Scratch, scratch } from '../support/mounting.js'
import { seeded } from '../support/random.js'
import { SlowMount } from '../support/slow-mount.js'
import { lacks, run, succeed } from '../support/tools.js'

/**
 * What copying up is for: a machine boots at once from an empty image, its golden image far away. All of the boot comes
 * through disk.raw: the BIOS reads the boot loader from it, that the kernel, and that the files.
 */
const MIB = 1 << 20

/** Room for all that a boot reads, so that what is kept does not depend on who comes first. */
const OPTIONS = [
  'compact_image=on,copy_on_read=on,block_size=4096,profile_size=64K',
  'max_outstanding_copy_on_read_data=128M',
  // A busy machine is no slow base.
  'prefetch_min_read_throughput=0,prefetch_min_write_throughput=0',
].join(',')

/** How the mount stood when the machine had turned itself off. */
interface Boot {
  readonly image: string
  readonly status: MountStatus
}

/** A machine with an empty image over the base boots; then the image is as it should be. */
async function bootOverBase(
  t: ExecutionContext,
  work: Scratch,
  name: string,
  slow: SlowMount,
  disk: BootDisk,
  ...options: string[]
): Promise<Boot> {
  const image = work.join(name)
  const base = slow.file('golden.raw')
  await work.rawmounts('create', '-q', '-f', 'fvd', '-o', OPTIONS, '-b', base, '-F', 'raw', image)
  const mounted = await work.mount(image, ...options)
  const said = await boot(work, mounted.disk)
  t.true(said.includes(`${BOOT_OK}: ${disk.read} files`), said)
  const status = await mounted.status()
  await mounted.unmount()
  t.is((await work.rawmount('check', image)).code, 0)
  return { image, status }
}

/**
 * Bytes of the base that prefetching did not bring, so that the machine had to wait for them. What copy-on-read kept is a
 * little less: a block that the machine writes before it is stored is never kept.
 */
function fetchedByGuest({ base, prefetch }: MountStatus): number {
  return base!.read - prefetch.copied
}

/** The file system of the machine is sound, holds all files, and what the machine wrote. */
async function mustHoldFiles(t: ExecutionContext, work: Scratch, image: string, disk: BootDisk) {
  const mounted = await work.mount(image, '--prefetch=off')
  const device = await work.loop(mounted.disk, disk.files.offset, disk.files.size)
  t.is((await run('e2fsck', ['-fn', device])).code, 0)
  const files = await work.mountDevice(device, 'files', '-o', 'ro')
  for (const [path, hash] of disk.hashes) {
    const bytes = await readFile(join(files, path))
    t.is(createHash('sha256').update(bytes).digest('hex'), hash, path)
  }
  t.is(await readFile(join(files, 'booted'), 'utf8'), 'written by Linux\n')
  await succeed('umount', files)
  await work.detach(device)
  await mounted.unmount()
}

test('a machine boots from an empty image over a slow base; another, with the profile of that boot, waits for less than half as much of it, in less than half as many requests', async t => {
  if (lacks(t, ...GUEST_NEEDS)) return
  t.timeout(600_000)
  const work = await scratch(t)
  const library = await work.directory('library')
  const disk = await makeBootDisk(work, join(library, 'golden.raw'), seeded(t))
  const slow = await SlowMount.start(work, 'slow', library, { rate: 50 * MIB, latency: 2 })

  const { image, status: first } = await bootOverBase(t, work, 'first.fvd', slow, disk, '--record-profile')
  const waited = first.base!.read
  t.true(waited > 10 * MIB, 'the kernel alone has more')
  t.is(fetchedByGuest(first), waited)
  t.true(first.copyOnRead.copied > 0.9 * waited, 'and nearly all of it is kept')
  await mustHoldFiles(t, work, image, disk)

  // The machine starts at once: the profile is fetched while it boots.
  const again = await bootOverBase(t, work, 'second.fvd', slow, disk, '--prefetch-profile', image)
  const second = again.status
  t.log(`first boot: ${first.base!.requests} requests, ${waited} bytes, all of them by the machine`)
  t.log(
    `second: ${second.base!.requests} requests, ${second.base!.read} bytes; ${fetchedByGuest(second)} by it`,
  )
  t.true(fetchedByGuest(second) < waited / 2)
  t.true(second.base!.requests < first.base!.requests / 2, 'though prefetching makes some, too')
  t.true(second.base!.read < 1.1 * waited, 'and what no boot reads stays in the base')
  await mustHoldFiles(t, work, again.image, disk)
})
