import { on } from 'node:events'
import { copyFile, readFile, stat, writeFile } from 'node:fs/promises'
import test from 'ava'
import { NEEDS, PROGRAM, type Scratch, scratch } from '../support/mounting.js'
import { createByQemu, QEMU, qemuIo } from '../support/qemu.js'
import { SlowMount } from '../support/slow-mount.js'
import { collect, lacks, run, succeed } from '../support/tools.js'
import { complains, oneLine } from './support/complaint.js'

const MIB = 1 << 20

/** A raw base of 4 MiB. */
async function makeBase(work: Scratch, name = 'base.raw'): Promise<string> {
  await writeFile(work.join(name), Buffer.alloc(4 * MIB, 7))
  return work.join(name)
}

/** Writes of all kinds. */
const WRITES = ['write -P 1 100k 300k', 'write -z 1M 512k', 'write -P 2 4000k 96k', 'discard 2M 64k']

test('commit brings a QED image into its base as qemu-img does', async t => {
  if (lacks(t, ...QEMU)) return
  const work = await scratch(t)
  const base = await makeBase(work)
  const image = await createByQemu(work, 'vm.qed', '4M', '', ['-b', 'base.raw', '-F', 'raw'])
  await qemuIo(image, 'qed', ...WRITES)
  await succeed('qemu-img', 'convert', '-O', 'raw', image, work.join('golden'))
  await work.directory('theirs')
  for (const name of ['base.raw', 'vm.qed']) await copyFile(work.join(name), work.join(`theirs/${name}`))
  await succeed('qemu-img', 'commit', '-q', work.join('theirs/vm.qed'))

  t.is(
    await work.rawmounts('commit', image),
    `${base}: has all of ${image} now (512 KiB); ${image} is empty now\n`,
  )
  for (const path of [base, image, work.join('theirs/base.raw')]) {
    await succeed(
      'qemu-img',
      'compare',
      '-F',
      'raw',
      '-f',
      path === image ? 'qed' : 'raw',
      path,
      work.join('golden'),
    )
  }
  await succeed('qemu-img', 'check', '-q', image)
  const { size } = await stat(image)
  t.true(size <= 5 * 64 * 1024)
  // It goes on as an empty image.
  await qemuIo(image, 'qed', 'read -P 1 100k 300k', 'write -P 9 0 4k', 'read -P 9 0 4k')
  await succeed('qemu-img', 'check', '-q', image)
})

for (const format of ['qed', 'fvd']) {
  test(`a ${format} image with keep, then without, in JSON`, async t => {
    const work = await scratch(t)
    const base = await makeBase(work)
    const image = work.join(`vm.${format}`)
    await work.rawmounts('create', '-q', '-f', format, '-b', 'base.raw', '-F', 'raw', image, '6M')
    const expected = { image, base, state: 'done', done: 0, total: 0 }
    t.like(JSON.parse(await work.rawmounts('commit', '-d', '--output=json', image)), {
      ...expected,
      emptied: false,
    })
    t.is((await stat(base)).size, 6 * MIB, 'the base is made as large first')
    t.like(JSON.parse(await work.rawmounts('commit', '--output=json', image)), { ...expected, emptied: true })
    t.is(await work.rawmounts('commit', '-q', image), '')
    t.regex(await work.rawmounts('check', image), /^No errors/)
  })
}

test('a base that other images stand on is refused and they are named, but with --force', async t => {
  const work = await scratch(t)
  const base = await makeBase(work)
  const image = await work.create('vm.qed', '-b', 'base.raw', '-F', 'raw')
  await work.directory('there')
  // Neither an image on this one, nor one on another base of that name, nor what is no image, counts.
  await work.create('above.qed', '-b', 'vm.qed')
  await makeBase(work, 'there/base.raw')
  await work.create('there/other.qed', '-b', 'base.raw', '-F', 'raw')
  await writeFile(work.join('damaged'), 'QED\0')
  t.is(await work.rawmounts('commit', '-q', image), '')
  const second = await work.create('second.qed', '-b', base, '-F', 'raw')
  await work.rawmounts('create', '-q', '-f', 'fvd', '-b', './base.raw', '-F', 'raw', work.join('third.fvd'))
  const before = await readFile(base)
  complains(
    t,
    await work.rawmount('commit', image),
    `${base}: is the base of ${second}, ${work.join('third.fvd')}, too`,
    '--force',
  )
  t.true(before.equals(await readFile(base)))
  t.is(await work.rawmounts('commit', '-q', '--force', image), '')
})

test('a base that is the data file of another image is refused, and so is one in a json: name', async t => {
  if (lacks(t, ...QEMU)) return
  const work = await scratch(t)
  await work.directory('elsewhere')
  /** Each case has a directory of its own. */
  const prepare = async (name: string): Promise<[base: string, image: string]> => {
    await work.directory(name)
    const base = await makeBase(work, `${name}/base.raw`)
    return [base, await work.create(`${name}/vm.qed`, '-b', 'base.raw', '-F', 'raw')]
  }
  const refused = async (base: string, image: string, user: string, ...words: string[]) => {
    const before = await readFile(base)
    complains(t, await work.rawmount('commit', image), `${base}: is the`, `of ${user}, too`, ...words)
    t.true(before.equals(await readFile(base)))
    t.is(await work.rawmounts('commit', '-q', '--force', image), '')
  }

  const [forFvd, aboveFvd] = await prepare('fvd')
  const fvd = work.join('fvd/other.fvd')
  await work.rawmounts('create', '-q', '-f', 'fvd', '-o', 'data_file=d', fvd, '4M')
  await work.rawmounts('update', '-q', '-u', fvd, 'data_file=base.raw')
  await refused(forFvd, aboveFvd, fvd, 'is the data file of', 'give them another first')
  await work.rawmounts('create', '-q', '-f', 'qed', '-b', 'base.raw', '-F', 'raw', work.join('fvd/a.qed'))
  await refused(forFvd, aboveFvd, `${work.join('fvd/a.qed')}, ${fvd}`, 'is the base or data file of')

  const [forQcow2, aboveQcow2] = await prepare('qcow2')
  const external = await createByQemu(
    work,
    'qcow2/other.qcow2',
    '4M',
    `data_file=${forQcow2},data_file_raw=on`,
  )
  await makeBase(work, 'qcow2/base.raw')
  await refused(forQcow2, aboveQcow2, external, 'is the data file of')

  const [forJson, aboveJson] = await prepare('json')
  const name = `json:${JSON.stringify({ driver: 'raw', file: { driver: 'file', filename: forJson } })}`
  const json = await createByQemu(work, 'json/other.qcow2', '4M', '', ['-b', name, '-F', 'raw'])
  await refused(forJson, aboveJson, json, 'is the base of', 'rawmount rebase')

  const [forZstd, aboveZstd] = await prepare('zstd')
  const backing = ['-b', 'base.raw', '-F', 'raw']
  const zstd = await createByQemu(work, 'zstd/other.qcow2', '4M', 'compression_type=zstd', backing)
  await refused(forZstd, aboveZstd, zstd, 'is the base of')
})

test("the data file of a base is written, too, and so must be nobody else's", async t => {
  const work = await scratch(t)
  const base = work.join('base.fvd')
  await work.rawmounts('create', '-q', '-f', 'fvd', '-o', 'data_file=d', base, '4M')
  const image = await work.create('vm.qed', '-b', 'base.fvd')
  t.is(await work.rawmounts('commit', '-q', image), '')
  const other = await work.create('other.qed', '-b', 'd', '-F', 'raw', '4M')
  complains(t, await work.rawmount('commit', image), `${work.join('d')}: is the base of ${other}, too`)
})

test('a base or an image in use is refused, with who uses it', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const work = await scratch(t)
  const base = await makeBase(work)
  const image = await work.create('vm.qed', '-b', 'base.raw', '-F', 'raw')
  const mounted = await work.mount(base, '--format', 'raw', '-r')
  const { pid } = await mounted.status()
  complains(t, await work.rawmount('commit', image), `${base}: is in use by process ${pid} (rawmount)`)
  await mounted.unmount()
  const other = await work.mount(image)
  complains(t, await work.rawmount('commit', image), `${image}: is in use by process`)
  await other.unmount()
  t.is(await work.rawmounts('commit', '-q', image), '')
})

test('commit is refused where nothing can be committed, and says why', async t => {
  if (lacks(t, ...QEMU)) return
  const work = await scratch(t)
  const base = await makeBase(work)
  complains(t, await work.rawmount('commit'), 'FILE is missing')
  complains(t, await work.rawmount('commit', work.join('none')), 'none: does not exist')
  complains(t, await work.rawmount('commit', base), 'carries no magic')
  complains(t, await work.rawmount('commit', '-f', 'raw', base), 'has no base')
  complains(t, await work.rawmount('commit', await work.create('alone.qed', '1M')), 'has no base')
  const qcow2 = await createByQemu(work, 'a.qcow2', '4M', '', ['-b', 'base.raw', '-F', 'raw'])
  complains(t, await work.rawmount('commit', qcow2), 'are only read', '--keep')
  const above = await work.create('above.qed', '-b', 'a.qcow2')
  complains(
    t,
    await work.rawmount('commit', above),
    'a.qcow2: nothing can be committed',
    'qcow2 are only read',
  )
  await qemuIo(qcow2, 'qcow2', 'write -P 5 1M 64k')
  t.is(await work.rawmounts('commit', '-q', '--keep', qcow2), '')
  t.is((await readFile(base))[MIB], 5)
})

test('Ctrl-C ends a commit with 130, the disk is as it was, and the same command goes on from there', async t => {
  if (lacks(t, ...NEEDS.kernel, ...QEMU)) return
  const work = await scratch(t)
  const base = work.join('base.raw')
  await writeFile(base, Buffer.alloc(32 * MIB, 7))
  await work.directory('source')
  const image = await work.create('source/vm.qed', '-b', base, '-F', 'raw')
  await qemuIo(image, 'qed', 'write -P 1 0 32M')
  const slow = await SlowMount.start(work, 'slow', work.join('source'), { rate: 8 * MIB })
  const child = work.start(
    process.execPath,
    PROGRAM,
    'commit',
    '--keep',
    '--force',
    '--output=json',
    slow.file('vm.qed'),
  )
  const outcome = collect(child)
  let said = ''
  for await (const [text] of on(child.stdout!, 'data')) {
    said += text
    if (/"done":[1-9]/.test(said)) break
  }
  child.kill('SIGINT')
  const { code, stderr, stdout } = await outcome
  t.is(code, 130)
  oneLine(t, stderr)
  t.regex(stderr, /ended by SIGINT; .* of 32 MiB are in the base, .*; the same command goes on from there/)
  t.like(JSON.parse(stdout.trimEnd().split('\n').at(-1)!), {
    state: 'stopped',
    total: 32 * MIB,
    emptied: false,
  })
  t.is((await run('qemu-img', ['compare', '-q', '-f', 'qed', '-F', 'raw', image, base])).code, 1)
  await work.rawmounts('commit', '-q', '--force', image)
  t.true((await readFile(base)).every(byte => byte === 1))
})
