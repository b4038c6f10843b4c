import { copyFile, readFile, rename, truncate, writeFile } from 'node:fs/promises'
import test from 'ava'
import { NEEDS, type Scratch, scratch } from '../support/mounting.js'
import { lacks } from '../support/tools.js'
import { complains } from './support/complaint.js'

/** A compact image of 4 MiB on a raw base. */
async function image(work: Scratch): Promise<string> {
  await writeFile(work.join('base.raw'), Buffer.alloc(1 << 20, 7))
  const path = work.join('vm.fvd')
  await work.rawmounts(
    ...[
      'create',
      '-q',
      '-f',
      'fvd',
      '-b',
      'base.raw',
      '-F',
      'raw',
      '-o',
      'compact_image=on,journal_size=8K',
      path,
      '4M',
    ],
  )
  return path
}

async function fieldOf(work: Scratch, path: string, name: string): Promise<unknown> {
  return JSON.parse(await work.rawmounts('info', '--output=json', path))['format-specific'].data[name]
}

test('fields are set, and what changed is printed', async t => {
  const work = await scratch(t)
  const path = await image(work)
  const stdout = await work.rawmounts(
    'update',
    path,
    'prefetch_start_delay=60',
    'copy_on_read=on',
    'add_storage_cmd=a=b',
  )
  t.is(stdout, 'copy_on_read: 0 -> 1\nprefetch_start_delay: -1 -> 60\nadd_storage_cmd: (empty) -> a=b\n')
  t.is(await fieldOf(work, path, 'add_storage_cmd'), 'a=b')
  t.is(await work.rawmounts('update', path, 'copy_on_read=1'), `${path}: has these values already\n`)
  t.is(await work.rawmounts('update', '-q', path, 'copy_on_read=0', 'add_storage_cmd='), '')
  t.is(await fieldOf(work, path, 'add_storage_cmd'), '')
  t.deepEqual(JSON.parse(await work.rawmounts('update', '--output=json', path, 'need_zero_init=1')), [
    { name: 'need_zero_init', before: 0, after: 1 },
  ])
})

test('without a field, those that can be changed are listed with value and meaning', async t => {
  const work = await scratch(t)
  const path = await image(work)
  const before = await readFile(path)
  const listing = await work.rawmounts('update', path)
  t.regex(listing, /^base_img=base\.raw {2,}the base, named relative to the image$/m)
  t.regex(listing, /^clean_shutdown=1 {2,}\w/m)
  t.notRegex(listing, /^(magic|chunk_size|data_file)=/m)
  const fields = JSON.parse(await work.rawmounts('update', '--output=json', path)) as { name: string }[]
  t.deepEqual(Object.keys(fields[0]!), ['name', 'value', 'meaning'])
  t.is(listing.split('\n').length - 1, fields.length)
  t.true(before.equals(await readFile(path)))
})

test('a base that was moved is named anew, relative to the image', async t => {
  const work = await scratch(t)
  const path = await image(work)
  await work.directory('archive')
  await rename(work.join('base.raw'), work.join('archive/b.raw'))
  complains(t, await work.rawmount('map', path), 'base.raw', 'does not exist')
  t.is(
    await work.rawmounts('update', path, 'base_img=archive/b.raw'),
    'base_img: base.raw -> archive/b.raw\n',
  )
  t.regex(await work.rawmounts('map', path), /archive\/b\.raw/)
  await truncate(work.join('archive/b.raw'), 1000)
  const before = await readFile(path)
  complains(t, await work.rawmount('update', path, 'base_img=./archive/b.raw'), '1000 bytes', '--unchecked')
  complains(t, await work.rawmount('update', path, 'base_img=gone'), 'gone', 'does not exist', '--unchecked')
  complains(t, await work.rawmount('update', path, 'base_img=vm.fvd', 'base_img_fmt='), 'circle')
  t.true(before.equals(await readFile(path)))
  await work.rawmounts('update', '-u', path, 'base_img=gone')
})

test('the data file of another image, or its base, is not taken', async t => {
  const work = await scratch(t)
  const create = (name: string, data: string, ...more: string[]) =>
    work.rawmounts('create', '-q', '-f', 'fvd', '-o', `data_file=${data}`, ...more, work.join(name), '1M')
  await create('one.fvd', 'one.data')
  await create('two.fvd', 'two.data')
  const two = work.join('two.fvd')
  const before = await readFile(two)
  complains(
    t,
    await work.rawmount('update', two, 'data_file=./one.data'),
    `${two}: the data file ${work.join('one.data')} is the data file of ${work.join('one.fvd')}`,
    '--unchecked',
  )
  await writeFile(work.join('base.raw'), Buffer.alloc(1 << 20))
  const above = await work.create('above.qed', '-b', 'base.raw', '-F', 'raw')
  complains(t, await work.rawmount('update', two, 'data_file=base.raw'), `is the base of ${above}`)
  t.true(before.equals(await readFile(two)))
  // What it has already stays changeable, and its own file may get another name.
  await rename(work.join('one.data'), work.join('renamed'))
  await work.rawmounts('update', '-q', work.join('one.fvd'), 'data_file=renamed')
  await copyFile(work.join('one.fvd'), work.join('copy.fvd'))
  await work.rawmounts('update', '-q', work.join('one.fvd'), 'data_file_fmt=raw')
  await work.rawmounts('update', '-q', '-u', two, 'data_file=renamed')
})

const MISTAKES: [string, string[], ...string[]][] = [
  ['no assignment', ['copy_on_read'], 'FIELD=VALUE', "'copy_on_read'"],
  ['a value without a field', ['=1'], 'FIELD=VALUE'],
  ['a field given twice', ['copy_on_read=1', 'copy_on_read=0'], 'copy_on_read', 'twice'],
  ['an empty argument', [''], 'FIELD=VALUE must not be empty'],
  ['an unknown field', ['speed=1'], 'vm.fvd', 'speed'],
  ['a size, which has a command', ['virtual_disk_size=30M'], 'rawmount resize'],
  ['a field that stays', ['chunk_size=4K'], 'chunk_size cannot be changed'],
  ['an impossible value', ['num_prefetch_slots=many'], 'num_prefetch_slots', '"many"'],
  ['a value with escape sequences', ['base_img=\x1b[31m\n'], 'backing file', 'does not exist'],
  ['an unknown option', ['--force', 'copy_on_read=1'], '--force'],
]

for (const [what, args, ...words] of MISTAKES) {
  test(`update is refused for ${what}, and changes nothing`, async t => {
    const work = await scratch(t)
    const path = await image(work)
    const before = await readFile(path)
    complains(t, await work.rawmount('update', path, ...args), ...words)
    t.true(before.equals(await readFile(path)))
  })
}

test('update is refused for formats without fields, missing files, and what is no image', async t => {
  const work = await scratch(t)
  const qed = await work.create('a.qed', '1M')
  complains(t, await work.rawmount('update', qed), 'a.qed', 'qed has no fields to change')
  complains(t, await work.rawmount('update', qed, 'x=1'), 'a.qed', 'qed has no fields to change')
  complains(t, await work.rawmount('update', work.join('none'), 'x=1'), 'none', 'does not exist')
  complains(t, await work.rawmount('update', '/dev/null', 'x=1'), '/dev/null')
  await writeFile(work.join('text'), 'no image')
  complains(t, await work.rawmount('update', work.join('text'), 'x=1'), 'magic')
  complains(t, await work.rawmount('update', '--format', 'fvd', work.join('text'), 'x=1'), 'ends within')
  complains(t, await work.rawmount('update'), 'FILE is missing')
})

test('a mounted image is not changed', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const work = await scratch(t)
  const path = await image(work)
  const mounted = await work.mount(path)
  complains(t, await work.rawmount('update', path, 'copy_on_read=1'), 'vm.fvd', 'in use')
  await mounted.unmount()
  await work.rawmounts('update', '-q', path, 'copy_on_read=1')
  t.is(await fieldOf(work, path, 'copy_on_read'), 1)
})

test('create prints what was understood, and lists its options', async t => {
  const work = await scratch(t)
  const path = work.join('a.fvd')
  const options = 'compact_image=on,chunk_size=64K,journal_size=1M,data_file=10M'
  t.is(
    await work.rawmounts('create', '-f', 'fvd', '-o', options, path, '1G'),
    `Formatting '${path}', fmt=fvd size=1073741824 compact_image=on chunk_size=65536 journal_size=1048576 data_file=10M\n`,
  )
  t.is((await readFile(work.join('10M'))).length, 0)
  const help = await work.rawmounts('create', '-f', 'fvd', '-o', 'help', path)
  t.regex(help, /^ {2}chunk_size +bytes .*\(default 1M\)$/m)
  t.regex(help, /^ {2}prefetch_throttle_time +milliseconds .*\(default 30000\)$/m)
})

test('create of a format that is only read is refused', async t => {
  const work = await scratch(t)
  complains(t, await work.rawmount('create', '-f', 'qcow2', work.join('a.qcow2'), '1M'), 'qcow2', 'only read')
})
