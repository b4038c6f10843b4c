import { constants } from 'node:fs'
import { link, open, readdir, readFile, rename, symlink, truncate, writeFile } from 'node:fs/promises'
import test from 'ava'
import { complains } from '../commands/support/complaint.js'
import { NEEDS, PROGRAM, type Scratch, scratch, TRANSPORTS } from '../support/mounting.js'
import { collect, environment, lacks, run, succeed, until } from '../support/tools.js'

const LINE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z rawmount(: |:\w+ t\d+ )/

async function lines(work: Scratch): Promise<string[]> {
  return (await readFile(work.join('log'), 'utf8')).split('\n').slice(0, -1)
}

/** The text of the log's own lines, without times. */
async function told(work: Scratch): Promise<string[]> {
  return (await lines(work)).flatMap(line => line.split('Z rawmount: ').slice(1))
}

test('the log tells of the begin and the end of each mount, and is appended to', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const work = await scratch(t)
  const image = await work.create('vm.qed', '1M')
  await writeFile(work.join('log'), 'what was there\n')
  for (let n = 0; n < 2; n++) await (await work.mount(image, '--log-file', work.join('log'))).unmount()
  const [first, ...others] = await lines(work)
  t.is(first, 'what was there')
  for (const line of others) t.regex(line, LINE)
  const texts = await told(work)
  t.is(texts.length, 4)
  t.regex(texts[2]!, new RegExp(`^mounted ${image} on ${work.join('mnt')}, process \\d+$`))
  t.is(texts[3], `unmounted ${work.join('mnt')}`)
})

test('a log that is truncated goes on at its begin, one that is renamed under its new name', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const work = await scratch(t)
  await writeFile(work.join('log'), 'what was there\n'.repeat(100))
  const mount = await work.mount(await work.create('vm.qed', '1M'), '--log-file', work.join('log'))
  await truncate(work.join('log'))
  const { pid } = await mount.status()
  process.kill(pid, 'SIGUSR1')
  await until(async () => (await lines(work)).length > 0)
  await rename(work.join('log'), work.join('log.1'))
  await mount.unmount()
  const [first = '', last = '', ...more] = (await readFile(work.join('log.1'), 'utf8')).trimEnd().split('\n')
  t.regex(first, LINE)
  t.regex(first, / status \{/)
  t.regex(last, / unmounted /)
  t.deepEqual(more, [])
})

test('a log that cannot be written is refused at once, and nothing is mounted', async t => {
  const work = await scratch(t)
  const image = await work.create('vm.qed', '1M')
  const mountpoint = await work.directory('mnt')
  for (const more of [[], ['-f']]) {
    const outcome = await work.rawmount(
      'mount',
      ...more,
      '--log-file',
      work.join('no/log'),
      image,
      mountpoint,
    )
    complains(t, outcome, work.join('no/log'), 'no such file or directory', 'another --log-file')
    const directory = await work.rawmount('mount', ...more, '-o', `log_file=${work.path}`, image, mountpoint)
    complains(t, directory, work.path, 'is a directory')
  }
})

test('what is no log is refused as one, and stays as it is', async t => {
  const work = await scratch(t)
  const image = await work.create('vm.qed', '1M')
  const other = await work.create('other.fvd', '-f', 'fvd', '1M')
  await writeFile(work.join('boot.raw'), Buffer.concat([Buffer.from('GRUB loading'), Buffer.alloc(500)]))
  await writeFile(work.join('vm.vmdk'), 'COWD and more')
  const mountpoint = await work.directory('mnt')
  for (const path of [other, work.join('boot.raw'), work.join('vm.vmdk')]) {
    const before = await readFile(path)
    for (const more of [[], ['-f']]) {
      const outcome = await work.rawmount('mount', ...more, '--log-file', path, image, mountpoint)
      complains(t, outcome, path, 'is there already and is no log', 'another --log-file')
    }
    t.deepEqual(await readFile(path), before)
  }
})

test('a file that the mount stands on is refused as its log, whatever it holds', async t => {
  const work = await scratch(t)
  const image = await work.create('vm.qed', '1M')
  await writeFile(work.join('text.raw'), 'x'.repeat(4096))
  await link(work.join('text.raw'), work.join('linked'))
  const mountpoint = await work.directory('mnt')
  const cases = [
    [work.join('linked'), 'an image', '--format', 'raw', work.join('text.raw')],
    [work.join('over'), 'the overlay', '--overlay', work.join('over'), image],
    [work.join('profile'), 'the profile', '--prefetch-profile', work.join('profile'), image],
    [work.join('pid'), 'the pidfile', '--pidfile', work.join('pid'), image],
  ] as const
  for (const [log, what, ...args] of cases) {
    for (const more of [[], ['-f']]) {
      const outcome = await work.rawmount('mount', ...more, '--log-file', log, ...args, mountpoint)
      complains(t, outcome, `${log}: is ${what} of this mount`, 'another --log-file')
    }
  }
  t.deepEqual((await readdir(work.path)).sort(), ['linked', 'mnt', 'text.raw', 'vm.qed'])
  t.is((await readFile(work.join('text.raw'))).length, 4096)
})

test('a log or a pidfile that the mount would hide is refused, and not made', async t => {
  const work = await scratch(t)
  const image = await work.create('vm.qed', '1M')
  const mountpoint = await work.directory('mnt')
  await symlink(mountpoint, work.join('link'))
  for (const option of ['--log-file', '--pidfile']) {
    for (const [below, where] of [
      [mountpoint, mountpoint],
      [work.join('link'), mountpoint],
      [mountpoint, work.join('link')],
    ] as const) {
      for (const more of [[], ['-f'], ['-o', 'nonempty']]) {
        const outcome = await work.rawmount('mount', ...more, option, `${below}/file`, image, where)
        complains(t, outcome, `${below}/file: would be hidden`, where, `another ${option}`)
      }
    }
  }
  t.deepEqual(await readdir(mountpoint), [])
})

test('a FIFO is a log while somebody reads it, and hangs nothing while nobody does', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const work = await scratch(t)
  const image = await work.create('vm.qed', '1M')
  const mountpoint = await work.directory('mnt')
  const fifo = work.join('fifo')
  await succeed('mkfifo', fifo)
  for (const more of [[], ['-f']]) {
    const outcome = await work.rawmount('mount', ...more, '--log-file', fifo, image, mountpoint)
    complains(t, outcome, fifo, 'nobody reads this FIFO', 'another --log-file')
  }
  const reader = await open(fifo, constants.O_RDONLY | constants.O_NONBLOCK)
  t.teardown(() => reader.close())
  await work.rawmounts('mount', '--log-file', fifo, image, mountpoint)
  await work.rawmounts('umount', mountpoint)
  const { buffer, bytesRead } = await reader.read(Buffer.alloc(4096), 0, 4096, null)
  t.regex(buffer.toString('utf8', 0, bytesRead), /rawmount: mounted .*\n.* unmounted /)
})

test('what goes wrong when mounting is in the log, too', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const work = await scratch(t)
  await writeFile(work.join('vm.qed'), 'no image')
  const mountpoint = await work.directory('mnt')
  const outcome = await work.rawmount(
    'mount',
    '--log-file',
    work.join('log'),
    work.join('vm.qed'),
    mountpoint,
  )
  t.is(outcome.code, 1)
  const [text] = await told(work)
  t.is(`rawmount: ${text}\n`, outcome.stderr.replace('rawmount: ', 'rawmount: not mounted: '))
})

for (const transport of TRANSPORTS) {
  test(`requests that fail are told in the log (${transport})`, async t => {
    if (lacks(t, ...NEEDS[transport])) return
    const work = await scratch(t)
    await succeed('mount', '-t', 'tmpfs', '-o', 'size=512K', 'none', await work.directory('small'))
    const image = await work.create('small/vm.qed', '-o', 'cluster_size=64K', '8M')
    const mount = await work.mount(image, '--log-file', work.join('log'), '--transport', transport)
    const full = [
      'if=/dev/zero',
      `of=${mount.disk}`,
      'bs=64K',
      'count=64',
      'conv=notrunc,fsync',
      'status=none',
    ]
    t.not((await run('dd', full)).code, 0)
    await run('cat', [`${mount.mountpoint}/no-such-file`])
    await run('umount', [mount.mountpoint])
    await until(async () => (await work.processes(0)).length === 0)
    const texts = await told(work)
    const failed = texts.filter(text => / failed: /.test(text))
    t.regex(failed[0] ?? '', /^write.* failed: .*vm\.qed.*no space left on device/i)
    // 64 requests failed, or nearly; a thread tells of five at once.
    t.true(failed.length <= 10, `${failed.length}`)
    t.false(texts.some(text => text.includes('ENOENT')))
    t.true(texts.at(-1)!.startsWith(`unmounted ${mount.mountpoint}`))
  })

  test(`with DEBUG every room says in the log which request it serves (${transport})`, async t => {
    if (lacks(t, ...NEEDS[transport])) return
    const work = await scratch(t)
    const image = await work.create('vm.qed', '1M')
    const mountpoint = await work.directory('mnt')
    const args = ['mount', '--log-file', work.join('log'), '--transport', transport, image, mountpoint]
    const env = { DEBUG: 'rawmount:*', RAWMOUNT_TEST_DIRECTORY: work.path }
    const { code, stderr } = await run(process.execPath, [PROGRAM, ...args], { env })
    t.is(code, 0, stderr)
    const dd = [
      'if=/dev/zero',
      `of=${mountpoint}/disk.raw`,
      'bs=4K',
      'count=1',
      'conv=notrunc,fsync',
      'status=none',
    ]
    await succeed('dd', ...dd)
    await work.rawmounts('umount', mountpoint)
    const all = await lines(work)
    for (const line of all.filter(line => !/^[ }]/.test(line))) t.regex(line, LINE)
    const served = all.flatMap(line => {
      const [, room, request] = /Z rawmount:(\w+) t\d+ #(\d+) /.exec(line) ?? []
      return room === undefined ? [] : [{ room, request: request!, line }]
    })
    // The write that got its storage, and the fsync that committed it, are the same request in all rooms.
    for (const words of ['get storage', 'commit 1 took']) {
      const below = served.find(({ room, line }) => room === 'disk' && line.includes(words))
      t.truthy(below, words)
      const above = served.find(({ room, request }) => room === 'fuse' && request === below?.request)
      t.regex(above?.line ?? '', words === 'get storage' ? /write/i : /sync/i)
    }
    t.true(served.some(({ room }) => room === 'qed'))
  })
}

test('without DEBUG nothing is traced', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const work = await scratch(t)
  const mount = await work.mount(await work.create('vm.qed', '1M'), '--log-file', work.join('log'))
  await succeed('dd', `if=${mount.disk}`, 'of=/dev/null', 'bs=64K', 'count=1', 'status=none')
  await mount.unmount()
  t.is((await lines(work)).length, (await told(work)).length)
})

test('SIGUSR1 puts the status into the log, and opens no port for debuggers', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const work = await scratch(t)
  const mount = await work.mount(await work.create('vm.qed', '1M'), '--log-file', work.join('log'))
  const { pid } = await mount.status()
  process.kill(pid, 'SIGUSR1')
  await until(async () => (await told(work)).length > 1)
  const [, text = ''] = await told(work)
  t.true(text.startsWith('status {'), text)
  t.like(JSON.parse(text.slice('status '.length)), { pid, format: 'qed', image: mount.image })
  t.notRegex(await readFile(work.join('log'), 'utf8'), /[Dd]ebugger/)
  await mount.unmount()
})

test('SIGUSR1 to a mount in front puts the status on stderr', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const work = await scratch(t)
  const image = await work.create('vm.qed', '1M')
  const mountpoint = await work.directory('mnt')
  const mount = work.start(process.execPath, PROGRAM, 'mount', '-f', image, mountpoint)
  let said = ''
  mount.stderr!.on('data', text => {
    said += text
  })
  const outcome = collect(mount)
  await until(async () => (await run('mountpoint', ['-q', mountpoint])).code === 0)
  // A signal before the mount answers is passed over.
  await until(() => {
    mount.kill('SIGUSR1')
    return said.includes('status {')
  })
  await work.rawmounts('umount', mountpoint)
  const { code, stderr } = await outcome
  t.is(code, 0, stderr)
  for (const line of stderr.trimEnd().split('\n')) t.regex(line, /^rawmount: status \{.*\}$/)
})

test('a log on a full disk hinders nothing', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const work = await scratch(t)
  const image = await work.create('vm.qed', '1M')
  const mountpoint = await work.directory('mnt')
  const { code, stderr } = await run(
    process.execPath,
    [PROGRAM, 'mount', '--log-file', '/dev/full', image, mountpoint],
    {
      env: environment({ DEBUG: 'rawmount:*', RAWMOUNT_TEST_DIRECTORY: work.path }),
    },
  )
  t.is(code, 0, stderr)
  await succeed('dd', `if=${mountpoint}/disk.raw`, 'of=/dev/null', 'bs=64K', 'count=1', 'status=none')
  await work.rawmounts('umount', mountpoint)
})
