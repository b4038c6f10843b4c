import { access, lstat, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import test from 'ava'
import { PROGRAM, scratch } from '../support/mounting.js'
import { lacks, run, succeed } from '../support/tools.js'
import { complains, oneLine } from './support/complaint.js'

const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  )

test('an image is as it was asked for, and what was understood is printed', async t => {
  const work = await scratch(t)
  const image = work.join('a.qed')
  const stdout = await work.rawmounts(
    'create',
    '-f',
    'qed',
    '-o',
    'cluster_size=4K,table_size=2',
    image,
    '1.5G',
  )
  t.is(stdout, `Formatting '${image}', fmt=qed size=1610612736 cluster_size=4096 table_size=2\n`)
  const info = JSON.parse(await work.rawmounts('info', '--output=json', image)) as Record<string, unknown>
  t.like(info, { 'virtual-size': 1610612736, 'cluster-size': 4096, format: 'qed', 'dirty-flag': false })
  t.like(info['format-specific'], { data: { 'table-size': 2 } })
})

test('-q prints nothing, and a raw image is a file of its size', async t => {
  const work = await scratch(t)
  t.is(await work.rawmounts('create', '-q', work.join('a.raw'), '3M'), '')
  t.is((await readFile(work.join('a.raw'))).length, 3 << 20)
})

test('an image on a backing file takes its size from there', async t => {
  const work = await scratch(t)
  const base = await work.create('base.qed', '12M')
  await work.rawmounts('create', '-q', '-f', 'qed', '-b', 'base.qed', work.join('top.qed'))
  const info = JSON.parse(await work.rawmounts('info', '--output=json', work.join('top.qed'))) as object
  t.like(info, { 'virtual-size': 12 << 20, 'backing-filename': 'base.qed', 'full-backing-filename': base })
  t.false('backing-filename-format' in info)
})

test('QEMU reads what was created, backing file and format of it included', async t => {
  if (lacks(t, 'qemu-img')) return
  const work = await scratch(t)
  await writeFile(work.join('base.raw'), Buffer.alloc(1 << 20, 7))
  await work.rawmounts('create', '-q', '-f', 'qed', '-b', 'base.raw', '-F', 'raw', work.join('top.qed'), '2M')
  const info = JSON.parse(await succeed('qemu-img', 'info', '--output=json', work.join('top.qed'))) as object
  t.like(info, { 'virtual-size': 2 << 20, 'backing-filename': 'base.raw', 'backing-filename-format': 'raw' })
  await succeed('qemu-img', 'check', '-q', work.join('top.qed'))
})

test('a backing file that would have to be guessed as raw is refused, and nothing is made', async t => {
  const work = await scratch(t)
  await writeFile(work.join('base.raw'), Buffer.alloc(4096))
  const outcome = await work.rawmount(
    'create',
    '-f',
    'qed',
    '-b',
    work.join('base.raw'),
    work.join('top.qed'),
  )
  complains(t, outcome, 'base.raw', '-F raw')
  t.false(await exists(work.join('top.qed')))
})

test('a missing backing file is refused but for -u, which needs a size', async t => {
  const work = await scratch(t)
  const create = (...args: string[]) => work.rawmount('create', '-f', 'qed', '-b', 'none.qed', ...args)
  complains(t, await create(work.join('top.qed'), '1M'), 'none.qed', 'does not exist')
  complains(t, await create('-u', work.join('top.qed')), 'size')
  t.false(await exists(work.join('top.qed')))
  t.is((await create('-u', work.join('top.qed'), '1M')).code, 0)
  t.regex(
    await work.rawmounts('info', work.join('top.qed')),
    /^backing file: none\.qed \(actual path: .*none\.qed\)$/m,
  )
})

test('an existing file is kept, but with --force', async t => {
  const work = await scratch(t)
  await writeFile(work.join('a.qed'), 'precious')
  complains(
    t,
    await work.rawmount('create', '-f', 'qed', work.join('a.qed'), '1M'),
    'a.qed',
    'exists',
    '--force',
  )
  t.is(await readFile(work.join('a.qed'), 'utf8'), 'precious')
  await work.rawmounts('create', '-q', '--force', '-f', 'qed', work.join('a.qed'), '1M')
  t.regex(await work.rawmounts('info', work.join('a.qed')), /^virtual size: 1 MiB \(1048576 bytes\)$/m)
})

test('--force leaves an existing file alone when the new image would be refused', async t => {
  const work = await scratch(t)
  await writeFile(work.join('a.qed'), 'precious')
  const force = (...args: string[]) => work.rawmount('create', '--force', '-f', 'qed', ...args)
  complains(t, await force('-o', 'cluster_size=5', work.join('a.qed'), '1M'), 'cluster_size')
  complains(t, await force('-b', 'none', work.join('a.qed')), 'none')
  t.is(await readFile(work.join('a.qed'), 'utf8'), 'precious')
})

test('--force on a full file system leaves the old file as it was, and its permissions to the new one', async t => {
  if (lacks(t, 'root')) return
  const work = await scratch(t)
  const small = await work.directory('small')
  await succeed('mount', '-t', 'tmpfs', '-o', 'size=1M', 'none', small)
  const image = `${small}/a.fvd`
  const force = (...args: string[]) => work.rawmount('create', '-q', '--force', '-f', 'fvd', '-o', ...args)
  await writeFile(image, 'precious', { mode: 0o640 })
  complains(t, await force('compact_image=on', image, '10T'), `${image}: `, 'no space left', 'as it was')
  t.deepEqual(await readdir(small), ['a.fvd'])
  t.is(await readFile(image, 'utf8'), 'precious')
  await symlink('a.fvd', `${small}/link`)
  t.is((await force('data_file=a.data', `${small}/link`, '1M')).code, 0)
  t.deepEqual(await readdir(small), ['a.data', 'a.fvd', 'link'])
  t.true((await lstat(`${small}/link`)).isSymbolicLink())
  t.is((await stat(image)).mode & 0o777, 0o640)
  t.regex(await work.rawmounts('check', image), /^No errors/)
  await writeFile(`${small}/a.data`, 'contents')
  t.is((await force('data_file=a.data', image, '1M')).code, 0)
  t.is((await stat(`${small}/a.data`)).size, 0)
})

test('not even --force overwrites a file of the chain below the new image', async t => {
  const work = await scratch(t)
  const base = await work.create('base.qed', '1M')
  const middle = await work.create('middle.qed', '-b', 'base.qed')
  const before = await readFile(base)
  const force = (path: string) => work.rawmount('create', '--force', '-f', 'qed', '-b', middle, path)
  complains(t, await force(base), 'base.qed', 'chain', 'another name')
  complains(t, await force(middle), 'middle.qed', 'chain')
  t.deepEqual(await readFile(base), before)
})

test('two images do not get the same data file, but with --force', async t => {
  const work = await scratch(t)
  const create = (name: string, data: string, ...more: string[]) =>
    work.rawmount('create', '-q', '-f', 'fvd', '-o', `data_file=${data}`, ...more, work.join(name), '1M')
  await work.directory('there')
  t.is((await create('a.fvd', 'data')).code, 0)
  for (const [name, data] of [
    ['b.fvd', 'data'],
    ['there/b.fvd', '../data'],
  ] as const) {
    complains(
      t,
      await create(name, data),
      `${work.join(name)}: the data file ${work.join('data')} is the data file of ${work.join('a.fvd')}`,
      '--force',
    )
    t.false(await exists(work.join(name)))
  }
  await writeFile(work.join('mine'), '')
  t.is((await create('b.fvd', 'mine')).code, 0)
  t.is((await create('c.fvd', 'data', '--force')).code, 0)
  await work.create('disk.qed', '1M')
  t.is((await create('d.fvd', 'disk.qed,data_file_fmt=qed')).code, 0)
  complains(
    t,
    await create('e.fvd', 'disk.qed,data_file_fmt=qed'),
    `is the data file of ${work.join('d.fvd')}`,
  )
})

test('what is no regular file is told at once to be no target, and a raw image to take no base', async t => {
  const work = await scratch(t)
  const fifo = work.join('fifo')
  await succeed('mkfifo', fifo)
  await symlink('circle', work.join('circle'))
  await writeFile(work.join('a.raw'), Buffer.alloc(4096))
  for (const [path, what] of [
    [fifo, 'is a FIFO'],
    [work.path, 'is a directory'],
    ['/dev/null', 'is a character device'],
    [work.join('circle'), 'is a symbolic link that leads nowhere'],
  ] as const) {
    const words = [`${path}: ${what}`, 'choose another name']
    for (const force of [[], ['--force']]) {
      complains(t, await work.rawmount('create', ...force, path, '1M'), ...words)
      const source = work.join('a.raw')
      complains(t, await work.rawmount('convert', ...force, '-f', 'raw', source, path), ...words)
    }
  }
  complains(t, await work.rawmount('info', work.join('circle')), 'circle: goes round in symbolic links')
  const data = await work.rawmount('create', '-f', 'fvd', '-o', 'data_file=circle', work.join('a.fvd'), '1M')
  complains(t, data, "'circle' goes round in symbolic links")
  complains(
    t,
    await work.rawmount('create', '-f', 'raw', '-b', 'a.raw', work.join('b.raw')),
    'b.raw: a raw image cannot have a backing file',
  )
  t.deepEqual((await readdir(work.path)).sort(), ['a.raw', 'circle', 'fifo'])
})

test('a size that the file system does not take is told with what to do', async t => {
  const work = await scratch(t)
  const limited = (...args: string[]) =>
    run('bash', ['-c', 'ulimit -f 1024; exec "$@"', 'sh', process.execPath, PROGRAM, ...args])
  const path = work.join('a.raw')
  complains(t, await limited('create', path, '10M'), `${path}: `, 'EFBIG', 'nothing was made', 'smaller size')
  t.false(await exists(path))
  await work.rawmounts('create', '-q', path, '1M')
  const before = await readFile(path)
  complains(
    t,
    await limited('resize', '-f', 'raw', path, '10M'),
    `${path}: `,
    'EFBIG',
    'nothing of it is lost',
  )
  t.true(before.equals(await readFile(path)))
})

test('table_size=1 works, with a warning that QEMU will not open it', async t => {
  const work = await scratch(t)
  const args = ['create', '-f', 'qed', '-o', 'table_size=1', work.join('a.qed'), '1M']
  const { code, stderr } = await work.rawmount(...args)
  t.is(code, 0)
  oneLine(t, stderr)
  t.regex(stderr, /^rawmount: warning: .*a\.qed.*QEMU.*table_size=1/)
})

test('a size that is no whole sector is rounded up, as qemu-img does', async t => {
  const work = await scratch(t)
  const { code, stdout } = await work.rawmount('create', '-f', 'qed', work.join('odd.qed'), '1000')
  t.is(code, 0)
  t.regex(stdout, /size=1024/)
})

const IMPOSSIBLE: [string, string[], ...string[]][] = [
  ['no size', [], 'a size is needed'],
  ['a size that is no number', ['many'], 'many', '10G'],
  ['a negative size', ['--', '-5'], '-5'],
  ['a size beyond 2^53', ['9223372036854775807'], '9223372036854775807'],
  ['a size with an unknown suffix', ['1Z'], '1Z'],
  ['more than the tables can map', ['-o', 'cluster_size=4K,table_size=1', '2G'], 'map'],
  ['a cluster size that is no power of two', ['-o', 'cluster_size=5000', '1M'], '5000'],
  ['a cluster size of 0', ['-o', 'cluster_size=0', '1M'], 'cluster_size'],
  ['a cluster size that is too large', ['-o', 'cluster_size=128M', '1M'], 'cluster_size'],
  ['a table of 32 clusters', ['-o', 'table_size=32', '1M'], 'table_size'],
  ['a misspelt option of the format', ['-o', 'clustersize=4K', '1M'], 'clustersize', 'cluster_size'],
  ['an option of the format without its value', ['-o', 'cluster_size', '1M'], 'cluster_size=VALUE'],
  ['a backing name of 2000 bytes', ['-u', '-b', 'x'.repeat(2000), '1M'], '2000', '1023'],
  ['a backing name of 64 KiB', ['-u', '-b', 'x'.repeat(65536), '1M'], '65536', '1023'],
  ['the format of no backing file', ['-F', 'raw', '1M'], '-b'],
  ['a backing file of unknown format', ['-b', 'x', '-F', 'foo', '1M'], 'foo', 'qed, raw'],
]

for (const [what, args, ...words] of IMPOSSIBLE) {
  test(`create is refused for ${what}, and makes no file`, async t => {
    const work = await scratch(t)
    complains(t, await work.rawmount('create', '-f', 'qed', work.join('new.qed'), ...args), ...words)
    t.false(await exists(work.join('new.qed')))
  })
}

test('create is refused for unknown formats, missing directories, devices and directories', async t => {
  const work = await scratch(t)
  await mkdir(work.join('directory'))
  complains(t, await work.rawmount('create', '-f', 'foo', work.join('x'), '1M'), 'foo', 'qed, raw')
  complains(t, await work.rawmount('create', work.join('missing/x'), '1M'), 'missing/x')
  complains(t, await work.rawmount('create', '--force', '/dev/null', '1M'), '/dev/null', 'device')
  complains(t, await work.rawmount('create', '--force', work.join('directory'), '1M'), 'directory')
  complains(t, await work.rawmount('create', '-f', 'raw', '-b', 'x', '-u', work.join('x'), '1M'), 'raw')
  t.false(await exists(work.join('x')))
})

test('-o help lists the options of the format', async t => {
  const work = await scratch(t)
  t.regex(await work.rawmounts('create', '-f', 'qed', '-o', 'help', work.join('x')), /^ {2}cluster_size +\w/m)
  t.false(await exists(work.join('x')))
})

test('a URL is no place for a new image', async t => {
  const work = await scratch(t)
  complains(t, await work.rawmount('create', '-f', 'qed', 'http://127.0.0.1:1/a.qed', '1M'), 'web server')
})
