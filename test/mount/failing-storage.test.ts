import { constants } from 'node:fs'
import { open, readFile, truncate, writeFile } from 'node:fs/promises'
import { constants as os } from 'node:os'
import test from 'ava'
import { NEEDS, scratch, TRANSPORTS } from '../support/mounting.js'
import { lacks, run, succeed } from '../support/tools.js'

/** Storage that is full, or fails: programs get the errno, the daemon lives on, the image stays consistent. */
const MiB = 1024 * 1024

for (const transport of TRANSPORTS) {
  test(`${transport}: a full file system is ENOSPC for who writes and who flushes; with space again all works`, async t => {
    if (lacks(t, ...NEEDS[transport])) return
    const work = await scratch(t)
    const small = await work.directory('small')
    await succeed('mount', '-t', 'tmpfs', '-o', 'size=8M', 'none', small)
    const image = await work.create('small/disk.qed', '256M')
    const mounted = await work.mount(image, '--transport', transport)
    await succeed(
      'dd',
      'if=/dev/zero',
      `of=${mounted.disk}`,
      'bs=1M',
      'count=2',
      'conv=notrunc,fsync',
      'status=none',
    )

    const direct = await run('dd', [
      'if=/dev/zero',
      `of=${mounted.disk}`,
      'bs=1M',
      'count=32',
      'oflag=direct',
      'conv=notrunc',
    ])
    t.is(direct.code, 1)
    t.regex(direct.stderr, /No space left on device/)
    const buffered = await run('dd', [
      'if=/dev/zero',
      `of=${mounted.disk}`,
      'bs=1M',
      'count=32',
      'seek=64',
      'conv=notrunc,fsync',
    ])
    t.is(buffered.code, 1)
    t.regex(buffered.stderr, /No space left on device/)
    t.true((await mounted.status()).errors > 0)

    await succeed('mount', '-o', 'remount,size=200M', small)
    const data = work.join('data')
    await writeFile(data, Buffer.alloc(32 * MiB, 3))
    await succeed('dd', `if=${data}`, `of=${mounted.disk}`, 'bs=1M', 'conv=notrunc,fsync', 'status=none')
    await mounted.unmount()
    t.is((await work.rawmount('check', image)).code, 0)

    const again = await work.mount(image, '--transport', transport, '-r')
    const disk = await open(again.disk, 'r')
    t.true((await disk.read(Buffer.alloc(32 * MiB), 0, 32 * MiB, 0)).buffer.equals(Buffer.alloc(32 * MiB, 3)))
    await disk.close()
    await again.unmount()
    await succeed('umount', small)
  })

  test(`${transport}: a device that fails to read is EIO for the part that fails; the daemon lives on`, async t => {
    if (lacks(t, ...NEEDS[transport], 'losetup')) return
    const work = await scratch(t)
    const file = work.join('device')
    await writeFile(file, Buffer.alloc(16 * MiB, 9))
    const device = await work.loop(file)
    const mounted = await work.mount(device, '--format', 'raw', '--transport', transport, '-r')
    // A loop device whose file lost its end fails there, as a disk with bad sectors does.
    await truncate(file, 4 * MiB)
    const disk = await open(mounted.disk, constants.O_RDONLY)
    t.is((await disk.read(Buffer.alloc(MiB), 0, MiB, 0)).bytesRead, MiB)
    const error = await t.throwsAsync<NodeJS.ErrnoException>(disk.read(Buffer.alloc(MiB), 0, MiB, 12 * MiB))
    t.is(error?.errno, -os.errno.EIO)
    t.is((await disk.read(Buffer.alloc(MiB), 0, MiB, 2 * MiB)).bytesRead, MiB)
    await disk.close()
    t.true((await mounted.status()).errors > 0)
    await mounted.unmount()
    await work.detach(device)
  })
}

test('an image on a read-only file system mounts with -r, and says so without', async t => {
  if (lacks(t, 'root')) return
  const work = await scratch(t)
  const store = await work.directory('store')
  await succeed('mount', '-t', 'tmpfs', 'none', store)
  const image = await work.create('store/disk.qed', '16M')
  await succeed('mount', '-o', 'remount,ro', store)
  const refused = await work.rawmount('mount', image, await work.directory('other'))
  t.is(refused.code, 1)
  t.regex(refused.stderr, /^rawmount: [^\n]*read-only file system[^\n]*-r[^\n]*\n$/)
  const mounted = await work.mount(image, '-r')
  t.is((await readFile(mounted.disk)).length, 16 * MiB)
  await mounted.unmount()
  await succeed('umount', store)
})
