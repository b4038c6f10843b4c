import { link, open, readdir, readFile, stat, symlink, truncate, writeFile } from 'node:fs/promises'
import test from 'ava'
import { Nginx } from '../support/http-servers.js'
import { PROGRAM, type Scratch, scratch } from '../support/mounting.js'
import { QEMU, qemuIo } from '../support/qemu.js'
import { lacks, run, succeed, told, until } from '../support/tools.js'
import { complains, oneLine } from './support/complaint.js'

const MIB = 1 << 20

/** A sparse disk of `size` bytes with data, explicit zeros in between, and data at the very end. */
async function makeRaw(work: Scratch, name: string, size: number): Promise<string> {
  const path = work.join(name)
  const file = await open(path, 'w')
  await file.truncate(size)
  const piece = Buffer.alloc(300_000)
  for (let i = 0; i < piece.length; i++) piece[i] = (i >> 12) % 3 === 1 ? 0 : 1 + (i % 251)
  for (const at of [0, 70_000, 1.5 * MIB, size - 100]) {
    if (at >= 0 && at < size) await file.write(piece, 0, Math.min(piece.length, size - at), Math.floor(at))
  }
  await file.close()
  return path
}

/** The judge: whether two images show the same. */
async function same(one: string, format: string, other: string, otherFormat: string): Promise<string> {
  return succeed('qemu-img', 'compare', '-f', format, '-F', otherFormat, one, other)
}

const names = async (work: Scratch) => (await readdir(work.path)).sort()

for (const size of [0, 1, 4095, 512 * 7, 3 * MIB, 5 * MIB + 700]) {
  test(`a disk of ${size} bytes goes through every format and comes back as it was`, async t => {
    if (lacks(t, ...QEMU)) return
    const work = await scratch(t)
    const raw = await makeRaw(work, 'a.raw', size)
    const args = ['-f', 'raw', '-O', 'qed', '-o', 'cluster_size=4K', raw]
    await work.rawmounts('convert', '-q', ...args, work.join('a.qed'))
    if (size > 0) await same(raw, 'raw', work.join('a.qed'), 'qed')
    await work.rawmounts('convert', '-q', '-O', 'fvd', work.join('a.qed'), work.join('flat.fvd'))
    const compact = ['-O', 'fvd', '-o', 'compact_image=on,chunk_size=64K']
    await work.rawmounts('convert', '-q', ...compact, work.join('flat.fvd'), work.join('a.fvd'))
    await work.rawmounts('convert', '-q', work.join('a.fvd'), work.join('b.raw'))
    const [before, after] = [await readFile(raw), await readFile(work.join('b.raw'))]
    // A disk of QED and FVD has whole sectors.
    t.is(after.length, Math.ceil(size / 512) * 512)
    t.true(after.subarray(0, size).equals(before))
    t.true(after.subarray(size).every(byte => byte === 0))
    t.regex(await work.rawmounts('check', work.join('a.qed')), /^No errors/)
    t.regex(await work.rawmounts('check', work.join('a.fvd')), /^No errors/)
    await same(work.join('b.raw'), 'raw', raw, 'raw')
  })
}

for (const target of ['raw', 'qed', 'fvd']) {
  test(`a chain with a qcow2 image becomes one ${target} image, as qemu-img reads it`, async t => {
    if (lacks(t, ...QEMU)) return
    const work = await scratch(t)
    await makeRaw(work, 'base.raw', 3 * MIB)
    const on = (name: string, base: string, format: string, size: string) =>
      succeed(
        'qemu-img',
        'create',
        '-q',
        '-f',
        name.split('.')[1]!,
        '-b',
        base,
        '-F',
        format,
        work.join(name),
        size,
      )
    await on('middle.qcow2', 'base.raw', 'raw', '4M')
    await qemuIo(
      work.join('middle.qcow2'),
      'qcow2',
      'write -P 7 100k 100k',
      'write -z 0 64k',
      'write -P 8 3500k 10k',
    )
    await on('top.qed', 'middle.qcow2', 'qcow2', '5M')
    await qemuIo(work.join('top.qed'), 'qed', 'write -P 9 128k 1k', 'write -P 9 4900k 4k')
    const made = work.join(`made.${target}`)
    const args = target === 'fvd' ? ['-o', 'compact_image=on'] : []
    await work.rawmounts('convert', '-q', '-O', target, ...args, work.join('top.qed'), made)
    if (target !== 'fvd') await same(work.join('top.qed'), 'qed', made, target)
    else {
      await work.rawmounts('convert', '-q', made, work.join('back.raw'))
      await same(work.join('top.qed'), 'qed', work.join('back.raw'), 'raw')
    }
    t.is(
      await work.rawmounts(
        'compare',
        '-q',
        ...(target === 'raw' ? ['-F', 'raw'] : []),
        work.join('top.qed'),
        made,
      ),
      '',
    )
  })
}

test('zeros that were stored as data, and holes, take no room in the target', async t => {
  if (lacks(t, ...QEMU)) return
  const work = await scratch(t)
  const raw = work.join('a.raw')
  const bytes = Buffer.alloc(8 * MIB)
  bytes.fill(1, 0, 4096)
  bytes.fill(2, 4 * MIB, 4 * MIB + 65_536)
  await writeFile(raw, bytes)
  for (const [format, most] of [
    ['raw', 68],
    ['qed', 68 + 64 + 1024],
    ['fvd', 68 + 16],
  ] as const) {
    const made = work.join(`made.${format}`)
    const stdout = await work.rawmounts('convert', '--output=json', '-f', 'raw', '-O', format, raw, made)
    t.like(JSON.parse(stdout), { size: 8 * MIB, read: 8 * MIB, written: 4096 + 65_536, format })
    const { blocks } = await stat(made)
    t.true(blocks / 2 <= most, `${format}: ${blocks / 2} KiB`)
  }
})

test('a disk of a tebibyte with little data is converted by what it has', async t => {
  const work = await scratch(t)
  const raw = work.join('a.raw')
  await truncate(await makeRaw(work, 'a.raw', 2 * MIB), 2 ** 40)
  const qed = work.join('a.qed')
  const stdout = await work.rawmounts('convert', '--output=json', '-f', 'raw', '-O', 'qed', raw, qed)
  t.true(JSON.parse(stdout).read <= 2 * MIB)
  t.is(await work.rawmounts('compare', '-q', '-f', 'raw', raw, qed), '')
})

test('with -b only what differs from the base is stored, zeros over data of the base too', async t => {
  if (lacks(t, ...QEMU)) return
  const work = await scratch(t)
  const base = await makeRaw(work, 'base.raw', 4 * MIB + 100)
  await work.rawmounts('create', '-q', '-f', 'qed', '-b', 'base.raw', '-F', 'raw', work.join('top.qed'), '6M')
  await qemuIo(work.join('top.qed'), 'qed', 'write -P 3 64k 4k', 'write -z 1536k 64k', 'write -P 4 5M 5k')
  await work.rawmounts('convert', '-q', work.join('top.qed'), work.join('full.raw'))
  for (const [source, format] of [
    ['top.qed', 'qed'],
    ['full.raw', 'raw'],
  ] as const) {
    const made = work.join(`on-${source}.qed`)
    const args = ['-f', format, '-O', 'qed', '-b', 'base.raw', '-F', 'raw', '--output=json']
    const { written } = JSON.parse(await work.rawmounts('convert', ...args, work.join(source), made))
    t.true(written <= 64 * 1024, `${written}`)
    await same(work.join('full.raw'), 'raw', made, 'qed')
    t.regex(await work.rawmounts('check', made), /^No errors/)
    t.is(JSON.parse(await work.rawmounts('info', '--output=json', made))['backing-filename'], 'base.raw')
  }
  // What the base has behind the end of a disk that is no whole sector must not show.
  const short = work.join('short.raw')
  await writeFile(short, (await readFile(base)).subarray(0, 70_001))
  await work.rawmounts(
    'convert',
    '-q',
    '-f',
    'raw',
    '-O',
    'qed',
    '-b',
    'base.raw',
    '-F',
    'raw',
    short,
    work.join('short.qed'),
  )
  await same(short, 'raw', work.join('short.qed'), 'qed')
})

test('a target that exists is refused, and replaced with --force, with its mode', async t => {
  const work = await scratch(t)
  const raw = await makeRaw(work, 'a.raw', MIB)
  const target = work.join('b.raw')
  await writeFile(target, 'old', { mode: 0o600 })
  complains(t, await work.rawmount('convert', '-f', 'raw', raw, target), target, 'exists already', '--force')
  t.is(await readFile(target, 'utf8'), 'old')
  await symlink('b.raw', work.join('link.raw'))
  await work.rawmounts('convert', '-q', '--force', '-f', 'raw', raw, work.join('link.raw'))
  t.deepEqual(await readFile(target), await readFile(raw))
  t.is((await stat(target)).mode & 0o777, 0o600)
  t.deepEqual(await names(work), ['a.raw', 'b.raw', 'link.raw'])
})

test('the source, and what it stands on, is refused as target by every name', async t => {
  const work = await scratch(t)
  const base = await makeRaw(work, 'base.raw', MIB)
  const image = await work.create('a.qed', '-b', 'base.raw', '-F', 'raw')
  await link(base, work.join('hard.raw'))
  await symlink('a.qed', work.join('soft.raw'))
  const before = [await readFile(base), await readFile(image)]
  for (const how of ['--force', '-n']) {
    for (const [target, why] of [
      ['a.qed', 'is the image that is converted'],
      ['soft.raw', 'is the image that is converted'],
      ['base.raw', 'is part of its chain'],
      ['hard.raw', `is part of its chain, as ${base}`],
    ] as const) {
      complains(t, await work.rawmount('convert', how, image, work.join(target)), target, why, 'another name')
    }
  }
  const onBase = ['-f', 'raw', '-O', 'qed', '-b', 'a.qed', '--force', await makeRaw(work, 'c.raw', MIB)]
  complains(
    t,
    await work.rawmount('convert', ...onBase, base),
    'belongs to the chain of the backing file a.qed',
  )
  t.deepEqual([await readFile(base), await readFile(image)], before)
})

test('what cannot be a target is refused before anything is read', async t => {
  const work = await scratch(t)
  const raw = await makeRaw(work, 'a.raw', MIB)
  const huge = work.join('huge.raw')
  await writeFile(huge, '')
  await truncate(huge, 2 ** 42)
  for (const [args, ...words] of [
    [['-f', 'raw', raw, 'http://127.0.0.1:1/x.raw'], 'web server'],
    [['-f', 'raw', '--force', raw, work.path], 'is a directory'],
    [['-f', 'raw', raw, work.join('no/a.raw')], 'no such file or directory', 'check the directory'],
    [['-f', 'raw', '-O', 'qcow2', raw, work.join('a.qcow2')], 'only read'],
    [['-f', 'raw', '-O', 'vmdk', raw, work.join('a.vmdk')], "format 'vmdk' is unknown"],
    [
      ['-f', 'raw', '-O', 'qed', '-o', 'cluster_size=4K,table_size=1', huge, work.join('a.qed')],
      'take larger ones',
    ],
    [['-f', 'raw', '-O', 'qed', '-o', 'nonsense=1', raw, work.join('a.qed')], "no option 'nonsense'"],
    [['-f', 'raw', '-O', 'qed', '-b', 'none.qed', raw, work.join('a.qed')], 'none.qed', 'does not exist'],
    [['-f', 'raw', '-O', 'qed', '-b', 'huge.raw', raw, work.join('a.qed')], 'huge.raw', '-F raw'],
    [['-f', 'raw', '-b', 'huge.raw', '-F', 'raw', raw, work.join('b.raw')], 'cannot have a backing file'],
    [[raw, work.join('b.raw')], 'carries no magic', '--format raw'],
    [['-f', 'raw', '-n', raw, work.join('b.raw')], 'does not exist'],
    [['-f', 'raw', '-n', '--force', raw, work.join('b.raw')], 'exclude each other'],
    [['-f', 'raw', '-F', 'raw', raw, work.join('b.raw')], 'name it with -b'],
  ] as [string[], ...string[]][]) {
    complains(t, await work.rawmount('convert', ...args), ...words)
  }
  t.deepEqual(await names(work), ['a.raw', 'huge.raw'])
})

test('an image with a data file appears with it, and an existing data file is not touched', async t => {
  const work = await scratch(t)
  const raw = await makeRaw(work, 'a.raw', 3 * MIB)
  const args = ['-q', '-f', 'raw', '-O', 'fvd', '-o', 'data_file=a.data', raw]
  await work.rawmounts('convert', ...args, work.join('a.fvd'))
  t.deepEqual(await names(work), ['a.data', 'a.fvd', 'a.raw'])
  t.is(await work.rawmounts('compare', '-q', '-f', 'raw', raw, work.join('a.fvd')), '')
  const before = await readFile(work.join('a.data'))
  complains(
    t,
    await work.rawmount('convert', '--force', ...args, work.join('b.fvd')),
    'a.data',
    'exists already',
  )
  t.deepEqual(await readFile(work.join('a.data')), before)
  t.deepEqual(await names(work), ['a.data', 'a.fvd', 'a.raw'])
})

test('-n writes into what exists, the zeros too, and leaves what lies behind', async t => {
  const work = await scratch(t)
  const raw = await makeRaw(work, 'a.raw', 2 * MIB)
  const target = work.join('b.raw')
  await writeFile(target, Buffer.alloc(3 * MIB, 0xee))
  const { ino } = await stat(target)
  await work.rawmounts('convert', '-q', '-n', '-f', 'raw', raw, target)
  const bytes = await readFile(target)
  t.true(bytes.subarray(0, 2 * MIB).equals(await readFile(raw)))
  t.true(bytes.subarray(2 * MIB).every(byte => byte === 0xee))
  t.is((await stat(target)).ino, ino)
  await truncate(target, MIB)
  complains(t, await work.rawmount('convert', '-n', '-f', 'raw', raw, target), target, 'take a larger one')
})

test('-n writes onto a block device, which is not replaced', async t => {
  if (lacks(t, 'root', 'losetup')) return
  const work = await scratch(t)
  const raw = await makeRaw(work, 'a.raw', 2 * MIB)
  await writeFile(work.join('device'), Buffer.alloc(2 * MIB, 0xee))
  const device = await work.loop(work.join('device'))
  complains(
    t,
    await work.rawmount('convert', '--force', '-f', 'raw', raw, device),
    'block device',
    '--no-create',
  )
  await work.rawmounts('convert', '-q', '-n', '-f', 'raw', raw, device)
  t.is(await work.rawmounts('compare', '-q', '-f', 'raw', '-F', 'raw', raw, device), '')
})

test('a full file system leaves nothing behind, and what was to be replaced as it was', async t => {
  if (lacks(t, 'root')) return
  const work = await scratch(t)
  const raw = work.join('a.raw')
  await writeFile(raw, Buffer.alloc(6 * MIB, 1))
  const small = await work.directory('small')
  await succeed('mount', '-t', 'tmpfs', '-o', 'size=4M', 'none', small)
  await writeFile(`${small}/old`, 'old')
  for (const [args, name] of [
    [['-O', 'qed'], 'new'],
    [['-O', 'raw', '--force'], 'old'],
  ] as const) {
    const outcome = await work.rawmount('convert', '-f', 'raw', ...args, raw, `${small}/${name}`)
    complains(t, outcome, `${small}/${name}`, 'no space left', 'nothing is left', 'rawmount measure')
    t.deepEqual(await readdir(small), ['old'])
    t.is(await readFile(`${small}/old`, 'utf8'), 'old')
  }
})

test('--no-create says that a target is half written, and that one has no image in it', async t => {
  if (lacks(t, 'root')) return
  const work = await scratch(t)
  const raw = work.join('a.raw')
  await writeFile(raw, Buffer.alloc(6 * MIB, 1))
  const small = await work.directory('small')
  await succeed('mount', '-t', 'tmpfs', '-o', 'size=4M', 'none', small)
  const target = `${small}/b.raw`
  await work.rawmounts('create', '-q', target, '6M')
  const convert = (...args: string[]) => work.rawmount('convert', '-n', '-f', 'raw', ...args, raw, target)
  complains(t, await convert('-O', 'qed'), `${target}: has no qed image in it`, 'leave out -O qed')
  complains(t, await convert(), 'no space left', `${target} is written over in part`, 'convert again')
})

test('a limit of the size of files is an error like a full disk', async t => {
  const work = await scratch(t)
  const raw = work.join('a.raw')
  await writeFile(raw, Buffer.alloc(3 * MIB, 1))
  const command = `ulimit -f 1024; exec "$@"`
  const args = ['-c', command, 'sh', process.execPath, PROGRAM, 'convert', '-f', 'raw', '-O', 'qed', raw]
  complains(t, await run('bash', [...args, work.join('a.qed')]), 'a.qed', 'file too large')
  t.deepEqual(await names(work), ['a.raw'])
})

/** A conversion that takes a minute. */
async function startSlowly(work: Scratch, ...args: string[]) {
  const raw = work.join('a.raw')
  await writeFile(raw, Buffer.alloc(8 * MIB, 1))
  const child = work.start(
    process.execPath,
    PROGRAM,
    'convert',
    '--rate',
    '128K',
    '-f',
    'raw',
    ...args,
    raw,
    work.join('b.raw'),
  )
  let stderr = ''
  child.stderr!.setEncoding('utf8').on('data', text => {
    stderr += text
  })
  const ended = new Promise<{ code: number | null; stderr: string }>(resolve =>
    child.on('close', code => resolve({ code, stderr })),
  )
  // The new file is open, with a name or without.
  await until(async () =>
    (await run('bash', ['-c', `ls -l /proc/${child.pid}/fd`])).stdout.includes(`${work.path}/`),
  )
  await until(async () =>
    /deleted|\.new/.test((await run('bash', ['-c', `ls -l /proc/${child.pid}/fd`])).stdout),
  )
  return { child, ended }
}

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  test(`${signal} ends a conversion with ${code}, and nothing is left of it`, async t => {
    const work = await scratch(t)
    await writeFile(work.join('b.raw'), 'old')
    const { child, ended } = await startSlowly(work, '--force')
    child.kill(signal)
    const { code: found, stderr } = await ended
    t.is(found, code)
    oneLine(t, stderr)
    t.true(
      stderr.includes(`ended by ${signal}; nothing was made, and what was there before is untouched`),
      stderr,
    )
    t.is(await readFile(work.join('b.raw'), 'utf8'), 'old')
    t.deepEqual(await names(work), ['a.raw', 'b.raw'])
  })
}

test('kill -9 in the middle of a conversion leaves nothing, either', async t => {
  const work = await scratch(t)
  const { child, ended } = await startSlowly(work)
  child.kill('SIGKILL')
  await ended
  t.deepEqual(await names(work), ['a.raw'])
})

test('a source that is written, and a target in use, are refused; the source is read with -U', async t => {
  if (lacks(t, ...QEMU)) return
  const work = await scratch(t)
  const image = await work.create('a.qed', '1M')
  const raw = await makeRaw(work, 'a.raw', MIB)
  const writer = work.start('qemu-io', '-f', 'qed', image)
  await new Promise(resolve => writer.stdout!.once('data', resolve))
  complains(t, await work.rawmount('convert', image, work.join('b.raw')), 'a.qed', 'another program')
  complains(t, await work.rawmount('convert', '--force', '-f', 'raw', raw, image), 'a.qed', 'another program')
  t.is(told('convert', [], await work.rawmount('convert', '-q', '-U', image, work.join('b.raw'))), '')
  const ended = new Promise(resolve => writer.once('exit', resolve))
  writer.stdin!.end('quit\n')
  await ended
})

test('on a terminal a bar is drawn, and one line stands in its place', async t => {
  if (lacks(t, 'script')) return
  const work = await scratch(t)
  const raw = work.join('a.raw')
  await writeFile(raw, Buffer.alloc(3 * MIB, 1))
  const command = `'${process.execPath}' '${PROGRAM}' convert --rate 4M -f raw -O qed '${raw}' '${work.join('b.qed')}'`
  const { code, stdout } = await run('script', ['-qec', command, '/dev/null'])
  t.is(code, 0, stdout)
  t.regex(stdout, /\[[=> ]+\] +\d+% +[\d.]+ [KM]iB of 3 MiB/)
  t.regex(stdout, /b\.qed: qed, a disk of 3 MiB, 3 MiB of it data, in [\d.]+ s\r?\n$/)
})

test('-o help lists the options of the format of the target', async t => {
  const work = await scratch(t)
  t.regex(
    await work.rawmounts('convert', '-O', 'qed', '-o', 'help', 'a', 'b'),
    /^Options of the format qed:\n {2}cluster_size/,
  )
})

test('an image on a web server is a source, and nothing is read of its holes', async t => {
  if (lacks(t, 'nginx')) return
  const work = await scratch(t)
  const server = await Nginx.start(work, t)
  const raw = await makeRaw(work, 'a.raw', 3 * MIB)
  await work.rawmounts('convert', '-q', '-f', 'raw', '-O', 'qed', raw, `${server.root}/a.qed`)
  const url = `http://127.0.0.1:${server.port}/a.qed`
  await work.rawmounts('convert', '-q', url, work.join('b.raw'))
  t.deepEqual(await readFile(work.join('b.raw')), await readFile(raw))
  t.is(await work.rawmounts('compare', '-q', '-F', 'raw', url, raw), '')
})
