import { on } from 'node:events'
import { copyFile, readFile, rename, truncate, writeFile } from 'node:fs/promises'
import test from 'ava'
import { NEEDS, PROGRAM, type Scratch, scratch } from '../support/mounting.js'
import { bytesByRawmount, createByQemu, QEMU, qemuIo } from '../support/qemu.js'
import { SlowMount } from '../support/slow-mount.js'
import { collect, lacks, succeed } from '../support/tools.js'
import { complains, oneLine } from './support/complaint.js'

const MIB = 1 << 20

/** Two bases of 4 MiB that differ in 128 KiB. */
async function makeBases(work: Scratch): Promise<void> {
  await writeFile(work.join('old.raw'), Buffer.alloc(4 * MIB, 7))
  await writeFile(work.join('new.raw'), Buffer.alloc(4 * MIB, 7).fill(8, MIB, MIB + 128 * 1024))
}

async function makeImage(work: Scratch, format: string): Promise<string> {
  const image = work.join(`vm.${format}`)
  await work.rawmounts('create', '-q', '-f', format, '-b', 'old.raw', '-F', 'raw', image)
  return image
}

async function backingOf(work: Scratch, image: string): Promise<[unknown, unknown]> {
  const facts = JSON.parse(await work.rawmounts('info', '--output=json', image))
  return [facts['backing-filename'], facts['backing-filename-format']]
}

const BASES = {
  'new.raw': ['-b', 'new.raw', '-F', 'raw'],
  'a shorter base': ['-b', 'short.raw', '-F', 'raw'],
  'a qcow2 base': ['-b', 'new.qcow2'],
  'its own base': ['-b', 'old.raw', '-F', 'raw'],
  none: ['-b', ''],
}

/** What BASES name. */
async function makeAllBases(work: Scratch): Promise<void> {
  await makeBases(work)
  await copyFile(work.join('new.raw'), work.join('short.raw'))
  await truncate(work.join('short.raw'), 2 * MIB + 512)
  await succeed(
    'qemu-img',
    'convert',
    '-f',
    'raw',
    '-O',
    'qcow2',
    work.join('new.raw'),
    work.join('new.qcow2'),
  )
}

for (const [name, args] of Object.entries(BASES)) {
  test(`a QED image on ${name} has the same contents for QEMU, which finds no errors`, async t => {
    if (lacks(t, ...QEMU)) return
    const work = await scratch(t)
    await makeAllBases(work)
    const image = await createByQemu(work, 'vm.qed', '4M', '', ['-b', 'old.raw', '-F', 'raw'])
    await qemuIo(image, 'qed', 'write -P 1 100k 300k', 'write -z 3M 64k')
    await succeed('qemu-img', 'convert', '-O', 'raw', image, work.join('golden'))
    const said = await work.rawmounts('rebase', ...args, image)
    t.regex(said, /^\S+vm\.qed: .*, with the same contents; .* copied( into it)?\n$/)
    if (name !== 'its own base') await rename(work.join('old.raw'), work.join('gone'))
    await succeed('qemu-img', 'compare', '-f', 'qed', '-F', 'raw', image, work.join('golden'))
    await succeed('qemu-img', 'check', '-q', image)
    t.regex(await work.rawmounts('check', image), /^No errors/)
  })

  test(`an FVD image on ${name} has the same contents`, async t => {
    if (lacks(t, ...QEMU)) return
    const work = await scratch(t)
    await makeAllBases(work)
    const image = await makeImage(work, 'fvd')
    const before = bytesByRawmount(image)
    await work.rawmounts('rebase', '-q', ...args, image)
    if (name !== 'its own base') await rename(work.join('old.raw'), work.join('gone'))
    t.true(before.equals(bytesByRawmount(image)))
    t.regex(await work.rawmounts('check', image), /^No errors/)
  })
}

test('only what differs is copied, and JSON tells how much', async t => {
  const work = await scratch(t)
  await makeBases(work)
  const image = await makeImage(work, 'qed')
  const said = await work.rawmounts('rebase', '-b', 'new.raw', '-F', 'raw', '--output=json', image)
  t.like(JSON.parse(said), {
    image,
    base: 'new.raw',
    state: 'done',
    done: 4 * MIB,
    total: 4 * MIB,
    copied: 128 * 1024,
  })
  t.deepEqual(await backingOf(work, image), ['new.raw', 'raw'])
})

for (const format of ['qed', 'fvd']) {
  test(`-u changes the name in a ${format} image, and nothing else`, async t => {
    const work = await scratch(t)
    await makeBases(work)
    const image = await makeImage(work, format)
    await rename(work.join('old.raw'), work.join('moved.raw'))
    complains(
      t,
      await work.rawmount('rebase', '-b', 'moved.raw', '-F', 'raw', image),
      "'old.raw' does not exist",
      '-u',
    )
    t.is(
      await work.rawmounts('rebase', '-u', '-b', 'moved.raw', '-F', 'raw', image),
      `${image}: stands on moved.raw now; nothing was copied or compared\n`,
    )
    t.deepEqual(await backingOf(work, image), ['moved.raw', 'raw'])
    t.true(bytesByRawmount(image).every(byte => byte === 7))
    await work.rawmounts('rebase', '-q', '-u', '-b', 'gone/base.qed', image)
    t.deepEqual(JSON.parse(await work.rawmounts('rebase', '-u', '-b', 'gone', '--output=json', image)), {
      image,
      base: 'gone',
      state: 'done',
    })
    t.is((await backingOf(work, image))[0], 'gone')
  })
}

test('a rebase is refused for what cannot be, and changes nothing', async t => {
  const work = await scratch(t)
  await makeBases(work)
  const image = await makeImage(work, 'qed')
  await work.create('above.qed', '-b', 'vm.qed')
  const before = await readFile(image)
  const refused = async (args: string[], ...words: string[]) =>
    complains(t, await work.rawmount('rebase', ...args), ...words)
  await refused([image], '-b BASE')
  await refused(['-b', '', '-F', 'raw', image], '-F describes a backing file')
  await refused(['-b', 'new.raw', image], 'new.raw', '-F raw')
  await refused(['-u', '-b', 'new.raw', image], 'new.raw', '-F raw')
  await refused(['-b', 'new.raw', '-F', 'qed', image], 'new.raw', 'QED header')
  await refused(['-b', 'new.raw', '-F', 'vdi', image], "format 'vdi' is unknown")
  await refused(['-b', 'none.raw', '-F', 'raw', image], "'none.raw' does not exist")
  await refused(['-b', 'above.qed', image], 'above.qed', 'circle')
  await refused(['-b', 'vm.qed', image], 'circle')
  await refused(['-b', `${'x'.repeat(1100)}`, '-u', image], '1100 bytes')
  await refused(['-b', 'vm.qed', '-f', 'raw', work.join('old.raw')], 'raw have no base')
  await refused(['-b', 'a\x1b[31m', image], 'does not exist')
  t.true(before.equals(await readFile(image)))
})

test('a mounted image is not rebased', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const work = await scratch(t)
  await makeBases(work)
  const image = await makeImage(work, 'qed')
  const mounted = await work.mount(image)
  for (const args of [[], ['-u']]) {
    const { pid } = await mounted.status()
    const outcome = await work.rawmount('rebase', ...args, '-b', 'new.raw', '-F', 'raw', image)
    complains(t, outcome, `${image}: is in use by process ${pid} (rawmount)`)
  }
  await mounted.unmount()
})

test('Ctrl-C ends a rebase with 130, the image is on its old base, and the same command goes on', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const work = await scratch(t)
  await writeFile(work.join('old.raw'), Buffer.alloc(32 * MIB, 7))
  const image = await makeImage(work, 'qed')
  await work.directory('source')
  await writeFile(work.join('source/new.raw'), Buffer.alloc(32 * MIB, 8))
  const slow = await SlowMount.start(work, 'slow', work.join('source'), { rate: 8 * MIB })
  const args = ['rebase', '-b', slow.file('new.raw'), '-F', 'raw', '--output=json', image]
  const child = work.start(process.execPath, PROGRAM, ...args)
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
  t.regex(stderr, /ended by SIGINT; it is on its old base, and shows the same; .* were copied into it/)
  t.like(JSON.parse(stdout.trimEnd().split('\n').at(-1)!), { state: 'stopped', total: 32 * MIB })
  t.deepEqual(await backingOf(work, image), ['old.raw', 'raw'])
  t.true(bytesByRawmount(image).every(byte => byte === 7))
  await work.rawmounts('rebase', '-q', '-b', '', image)
  t.true(bytesByRawmount(image).every(byte => byte === 7))
})
