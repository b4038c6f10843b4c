import { createHash, randomBytes } from 'node:crypto'
import {
  type FileHandle,
  open,
  readdir,
  readFile,
  rename,
  stat,
  statfs,
  truncate,
  unlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import test, { type ExecutionContext } from 'ava'
import { NEEDS, type TransportName } from '../support/mounting.js'
import { lacks, run, succeed } from '../support/tools.js'
import { MemoryFileSystem } from './support/memory-file-system.js'
import { startServer } from './support/served.js'
import type { ServerOptions } from './support/server.js'

/**
 * The same table for all transports and cache modes: what a program sees on the mount. One after the other, as each has
 * a server of its own.
 */
const MiB = 1024 * 1024
const SIZE = 8 * MiB

interface Mode {
  readonly name: string
  readonly transport: TransportName
  readonly options: Omit<ServerOptions, 'mountpoint'>
}

const modes: Mode[] = [
  { name: 'kernel, writeback', transport: 'kernel', options: { cache: 'writeback' } },
  { name: 'kernel, writethrough', transport: 'kernel', options: { cache: 'writethrough' } },
  { name: 'kernel, no cache', transport: 'kernel', options: { cache: 'none' } },
  { name: 'kernel, one worker', transport: 'kernel', options: { workers: 1 } },
  { name: 'kernel, one descriptor', transport: 'kernel', options: { oneDescriptor: true } },
  { name: 'libfuse', transport: 'libfuse', options: { transport: 'libfuse' } },
]

/** Closed when the test fails too: a file left to the garbage collector would end the whole run. */
async function openFile(t: ExecutionContext, path: string, flags = 'r'): Promise<FileHandle> {
  const file = await open(path, flags)
  t.teardown(() => file.close().catch(() => {}))
  return file
}

function sha(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

const python = (script: string, ...parameters: string[]) => succeed('python3', '-c', script, ...parameters)

for (const { name, transport, options } of modes) {
  const setup = (t: ExecutionContext, more: Partial<ServerOptions> = {}) =>
    startServer(t, { ...options, ...more })

  test.serial(`${name}: the tree is listed, with modes, sizes and the file system's name`, async t => {
    if (lacks(t, ...NEEDS[transport], 'findmnt')) return
    const { served } = await setup(t)
    t.deepEqual((await readdir(served.mountpoint)).sort(), ['.rawmount', 'disk.raw'])
    t.deepEqual(await readdir(`${served.mountpoint}/.rawmount`), ['status.json'])
    const disk = await stat(served.disk)
    t.deepEqual([disk.size, disk.mode, disk.blocks, disk.uid], [SIZE, 0o100600, 0, process.getuid!()])
    t.is((await statfs(served.mountpoint)).blocks, SIZE / 4096)
    const found = await succeed(
      'findmnt',
      '--noheadings',
      '--raw',
      '--output',
      'FSTYPE,SOURCE',
      served.mountpoint,
    )
    t.is(found.trim(), 'fuse.rawmount test,\\x20image')
    await served.command('unmount')
  })

  test.serial(`${name}: a status file is read whole, again and again`, async t => {
    if (lacks(t, ...NEEDS[transport])) return
    const { served } = await setup(t)
    for (let n = 0; n < 3; n++) {
      t.is(await readFile(`${served.mountpoint}/.rawmount/status.json`, 'utf8'), MemoryFileSystem.STATUS_TEXT)
    }
    await served.command('unmount')
  })

  test.serial(
    `${name}: what dd writes in large and odd blocks is read back, through the page cache and past it`,
    async t => {
      if (lacks(t, ...NEEDS[transport], 'dd')) return
      const { served, work } = await setup(t)
      const data = randomBytes(3 * MiB + 777)
      await writeFile(work.join('data'), data)
      await succeed(
        'dd',
        `if=${work.join('data')}`,
        `of=${served.disk}`,
        'bs=1M',
        'seek=1',
        'conv=notrunc,fsync',
      )
      t.is(sha((await readFile(served.disk)).subarray(MiB, MiB + data.length)), sha(data))
      await succeed('dd', `if=${served.disk}`, `of=${work.join('copy')}`, 'bs=1M', 'iflag=direct')
      t.is(sha((await readFile(work.join('copy'))).subarray(MiB, MiB + data.length)), sha(data))
      t.is((await readFile(work.join('copy'))).length, SIZE)
      const { counters } = await served.command('unmount')
      t.true(counters!.bytesWritten >= data.length)
      t.true(counters!.bytesRead >= SIZE)
      t.true(counters!.syncs >= 1)
    },
  )

  test.serial(`${name}: O_DIRECT writes by several jobs are verified by fio`, async t => {
    if (lacks(t, ...NEEDS[transport], 'fio')) return
    const { served } = await setup(t)
    const common = [`--filename=${served.disk}`, '--bs=4k', '--size=2M', '--offset_increment=2M', '--minimal']
    const jobs = [
      '--name=x',
      '--rw=randwrite',
      '--numjobs=3',
      '--direct=1',
      '--ioengine=psync',
      '--verify=crc32c',
    ]
    const { code, stderr } = await run('fio', [...common, ...jobs, '--verify_state_save=0'])
    t.is(code, 0, stderr)
    await served.command('unmount')
  })

  test.serial(`${name}: a shared memory map and the file show the same`, async t => {
    if (lacks(t, ...NEEDS[transport], 'python3')) return
    const { served } = await setup(t)
    const script = `
import mmap, os, sys
fd = os.open(sys.argv[1], os.O_RDWR)
view = mmap.mmap(fd, 1 << 20)
view[5000:5003] = b'abc'
view.flush()
print(os.pread(fd, 3, 5000).decode())
os.pwrite(fd, b'xyz', 9000)
print(view[9000:9003].decode())`
    t.is(await python(script, served.disk), 'abc\nxyz\n')
    t.is((await readFile(served.disk)).subarray(5000, 5003).toString(), 'abc')
    await served.command('unmount')
  })

  test.serial(
    `${name}: what changes the tree or the size is refused, a change of times is taken`,
    async t => {
      if (lacks(t, ...NEEDS[transport])) return
      const { served } = await setup(t)
      await t.throwsAsync(writeFile(`${served.mountpoint}/new`, ''), { code: 'EPERM' })
      await t.throwsAsync(unlink(served.disk), { code: 'EPERM' })
      await t.throwsAsync(rename(served.disk, `${served.mountpoint}/other`), { code: 'EPERM' })
      await t.throwsAsync(truncate(served.disk, 5), { code: 'EPERM' })
      await t.throwsAsync(readFile(`${served.mountpoint}/no`), { code: 'ENOENT' })
      await truncate(served.disk, SIZE)
      await utimes(served.disk, 1_600_000_000, 1_600_000_000)
      t.is((await stat(served.disk)).mtimeMs, 1_600_000_000_000)
      await served.command('unmount')
    },
  )

  test.serial(`${name}: a read error reaches the program, and the next read works`, async t => {
    if (lacks(t, ...NEEDS[transport])) return
    const { served } = await setup(t, { faultOffset: 4 * MiB })
    const file = await openFile(t, served.disk)
    await t.throwsAsync(file.read(Buffer.alloc(4096), 0, 4096, 5 * MiB), { code: 'EIO' })
    t.is((await file.read(Buffer.alloc(4096), 0, 4096, 0)).bytesRead, 4096)
    await file.close()
    t.true((await served.command('unmount')).counters!.errors > 0)
  })

  test.serial(`${name}: a read-only mount refuses writers with EROFS`, async t => {
    if (lacks(t, ...NEEDS[transport])) return
    const { served } = await setup(t, { readOnly: true })
    await t.throwsAsync(open(served.disk, 'r+'), { code: 'EROFS' })
    t.is((await readFile(served.disk)).length, SIZE)
    await served.command('unmount')
  })

  test.serial(`${name}: du shows what is allocated`, async t => {
    if (lacks(t, ...NEEDS[transport], 'du')) return
    const { served } = await setup(t)
    const file = await openFile(t, served.disk, 'r+')
    await file.write(Buffer.alloc(64 * 1024, 1), 0, 64 * 1024, 128 * 1024)
    await file.sync()
    await file.close()
    let shown = ''
    // Attributes may be a second old.
    for (const deadline = Date.now() + 20_000; shown !== '64' && Date.now() < deadline; ) {
      shown = (await succeed('du', '-k', served.disk)).split('\t')[0]!
    }
    t.is(shown, '64')
    await served.command('unmount')
  })

  test.serial(
    `${name}: unmounting while a file is open says that it is busy, and works afterwards`,
    async t => {
      if (lacks(t, ...NEEDS[transport])) return
      const { served } = await setup(t)
      const file = await openFile(t, served.disk)
      const { error, errno } = await served.command('unmount')
      t.regex(error ?? '', /mnt: busy: close what uses it/)
      t.is(errno, 16)
      t.is((await file.read(Buffer.alloc(10), 0, 10, 0)).bytesRead, 10)
      await file.close()
      t.truthy((await served.command('unmount')).counters)
    },
  )

  test.serial(`${name}: after a lazy unmount the open file works to its end`, async t => {
    if (lacks(t, ...NEEDS[transport])) return
    const { served } = await setup(t)
    const file = await openFile(t, served.disk, 'r+')
    const last = served.command('lazy')
    while ((await readdir(served.mountpoint)).length > 0);
    await file.write(Buffer.alloc(10, 1), 0, 10, 0)
    await file.sync()
    t.is((await file.read(Buffer.alloc(10), 0, 10, 0)).bytesRead, 10)
    await file.close()
    t.true((await last).counters!.bytesWritten >= 10)
  })

  test.serial(`${name}: data that nobody flushed are written at the unmount`, async t => {
    if (lacks(t, ...NEEDS[transport])) return
    const { served } = await setup(t)
    await writeFile(served.disk, Buffer.alloc(2 * MiB, 1), { flag: 'r+' })
    t.true((await served.command('unmount')).counters!.bytesWritten >= 2 * MiB)
  })

  const holes = transport === 'kernel' ? 'found' : 'not known to libfuse 2: everything is data'
  test.serial(`${name}: holes are ${holes}`, async t => {
    if (lacks(t, ...NEEDS[transport], 'python3')) return
    const { served } = await setup(t)
    const file = await openFile(t, served.disk, 'r+')
    await file.write(Buffer.alloc(8192, 1), 0, 8192, MiB)
    await file.sync()
    await file.close()
    const script = `
import os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
print(os.lseek(fd, 0, os.SEEK_DATA), os.lseek(fd, 1 << 20, os.SEEK_HOLE))`
    t.is(await python(script, served.disk), transport === 'kernel' ? `${MiB} ${MiB + 8192}\n` : `0 ${SIZE}\n`)
    await served.command('unmount')
  })

  test.serial(
    `${name}: punching a hole ${transport === 'kernel' ? 'zeroes' : 'is not supported, libfuse 2 has no call for it'}`,
    async t => {
      if (lacks(t, ...NEEDS[transport], 'fallocate')) return
      const { served } = await setup(t)
      await writeFile(served.disk, Buffer.alloc(MiB, 1), { flag: 'r+', flush: true })
      const { code, stderr } = await run('fallocate', [
        '--punch-hole',
        '-o',
        '4096',
        '-l',
        '8192',
        served.disk,
      ])
      const bytes = await readFile(served.disk)
      if (transport === 'kernel') {
        t.is(code, 0, stderr)
        t.deepEqual([bytes[4095], bytes[4096], bytes[12_287], bytes[12_288]], [1, 0, 0, 1])
      } else {
        t.regex(stderr, /unsupported|not supported/)
        t.is(bytes[4096], 1)
      }
      await served.command('unmount')
    },
  )
}

test.serial('kernel, writeback: what was just written is never taken for a hole', async t => {
  if (lacks(t, ...NEEDS.kernel, 'python3')) return
  const { served } = await startServer(t)
  // Written, not flushed, and asked for through another descriptor.
  const script = `
import os, sys, time
writer = os.open(sys.argv[1], os.O_RDWR)
reader = os.open(sys.argv[1], os.O_RDONLY)
os.pwrite(writer, b'x' * 4096, 1 << 20)
assert os.lseek(reader, 0, os.SEEK_DATA) <= 1 << 20
assert os.lseek(reader, 0, os.SEEK_HOLE) >= (1 << 20) + 4096
os.close(writer)
# The kernel sends RELEASE after close() has returned: until it is here, everything is called data.
deadline = time.monotonic() + 20
while os.lseek(reader, 0, os.SEEK_DATA) == 0 and time.monotonic() < deadline:
    time.sleep(0.01)
print(os.lseek(reader, 0, os.SEEK_DATA))`
  t.is(await python(script, served.disk), `${MiB}\n`)
  await served.command('unmount')
})
