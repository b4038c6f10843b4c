import { createHash } from 'node:crypto'
import { once } from 'node:events'
import {
  link,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises'
import { basename, join } from 'node:path'
import { text } from 'node:stream/consumers'
import test from 'ava'
import type { FoldersStatus, MountStatus } from '../../src/mount/status/status.js'
import {
  mountpointsBelow,
  NEEDS,
  PROGRAM,
  type Scratch,
  scratch,
  TRANSPORTS,
  type TransportName,
} from '../support/mounting.js'
import { lacks, succeed, until } from '../support/tools.js'

/** Several images in one mount: a folder for each. */
const MiB = 1024 * 1024

async function statusOf<T>(path: string): Promise<T> {
  return JSON.parse(await readFile(join(path, '.rawmount/status.json'), 'utf8')) as T
}

async function three(work: Scratch): Promise<string[]> {
  const raw = work.join('C.raw')
  await writeFile(raw, '')
  await truncate(raw, 16 * MiB)
  return [await work.create('A.qed', '16M'), await work.create('B.fvd', '-f', 'fvd', '16M'), raw]
}

async function hash(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex')
}

for (const transport of TRANSPORTS) {
  test(`${transport}: several images get a folder each, and keep what is written to them`, async t => {
    if (lacks(t, ...NEEDS[transport])) return
    const work = await scratch(t)
    const images = await three(work)
    const mnt = await work.directory('mnt')
    await work.rawmounts('mount', '--transport', transport, ...images, mnt)
    t.deepEqual(await readdir(mnt), ['.rawmount', 'A', 'B', 'C'])
    for (const [index, name] of ['A', 'B', 'C'].entries()) {
      t.deepEqual(await readdir(join(mnt, name)), ['.rawmount', 'disk.raw'])
      await writeFile(join(mnt, name, 'disk.raw'), Buffer.alloc(MiB, index + 1), { flag: 'r+' })
    }
    await work.rawmounts('umount', mnt)
    for (const [index, image] of images.entries()) {
      const read = await work.mountAt('one', image, '-r', ...(index === 2 ? ['--format', 'raw'] : []))
      const disk = await readFile(read.disk)
      t.true(disk.subarray(0, MiB).equals(Buffer.alloc(MiB, index + 1)), image)
      await read.unmount()
    }
  })

  test(`${transport}: the status counts each image by itself, and above them all of them`, async t => {
    if (lacks(t, ...NEEDS[transport])) return
    const work = await scratch(t)
    const mnt = await work.directory('mnt')
    await work.rawmounts('mount', '--transport', transport, '--cache', 'none', ...(await three(work)), mnt)
    await writeFile(join(mnt, 'A/disk.raw'), Buffer.alloc(4096, 1), { flag: 'r+' })
    await writeFile(join(mnt, 'B/disk.raw'), Buffer.alloc(8192, 1), { flag: 'r+' })
    const all = await statusOf<FoldersStatus>(mnt)
    t.deepEqual(
      all.images.map(({ folder, image, format }) => [folder, basename(image), format]),
      [
        ['A', 'A.qed', 'qed'],
        ['B', 'B.fvd', 'fvd'],
        ['C', 'C.raw', 'raw'],
      ],
    )
    t.is(all.bytes.written, 12_288)
    for (const [name, written] of [
      ['A', 4096],
      ['B', 8192],
      ['C', 0],
    ] as const)
      t.is((await statusOf<MountStatus>(join(mnt, name))).bytes.written, written, name)
    t.regex(await work.rawmounts('status', mnt), /^image +B +.*B\.fvd \(fvd, 16 MiB\)$/m)
    t.regex(await work.rawmounts('status', join(mnt, 'B')), /^written .* 8 KiB;/m)
    await work.rawmounts('umount', mnt)
  })
}

test('no name of an image becomes a folder that is there already', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const work = await scratch(t)
  const directory = await work.directory('vms')
  for (const name of ['..raw', '...raw', '.raw', '.rawmount.raw', 'a.raw'])
    await writeFile(join(directory, name), Buffer.alloc(MiB))
  const mnt = await work.directory('mnt')
  await work.rawmounts('mount', directory, mnt)
  t.deepEqual(await readdir(mnt), ['...raw', '..raw', '.raw', '.rawmount', '.rawmount.raw', 'a'])
  await work.rawmounts('umount', mnt)
})

test('of an image with several names one is served, and the others are named', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const work = await scratch(t)
  const directory = await work.directory('vms')
  const image = join(directory, 'a.raw')
  await writeFile(image, Buffer.alloc(MiB))
  await link(image, join(directory, 'hard.raw'))
  await symlink('a.raw', join(directory, 'soft.raw'))
  const mnt = await work.directory('mnt')
  const { stderr } = await work.rawmount('mount', directory, mnt)
  for (const name of ['hard', 'soft'])
    t.true(stderr.includes(`left out: ${join(directory, name)}.raw: is the same file as ${image}\n`), stderr)
  t.deepEqual(await readdir(mnt), ['.rawmount', 'a'])
  await work.rawmounts('umount', mnt)
  await work.rawmounts('mount', '-r', directory, mnt)
  t.deepEqual(await readdir(mnt), ['.rawmount', 'a', 'hard', 'soft'])
  await work.rawmounts('umount', mnt)
})

test('an image that cannot be opened is reported, and does not hinder the others', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const work = await scratch(t)
  const images = await three(work)
  await writeFile(work.join('broken.qed'), Buffer.concat([Buffer.from('QED\0'), Buffer.alloc(8188, 0xee)]))
  const mnt = await work.directory('mnt')
  const outcome = await work.rawmount('mount', ...images, work.join('broken.qed'), work.join('none.fvd'), mnt)
  t.is(outcome.code, 0)
  const lines = outcome.stderr.trimEnd().split('\n')
  t.is(lines.length, 2)
  t.regex(lines[0]!, /^rawmount: warning: left out: \/.*\/broken\.qed: /)
  t.regex(lines[1]!, /^rawmount: warning: left out: \/.*\/none\.fvd: does not exist; check the name$/)
  t.deepEqual(await readdir(mnt), ['.rawmount', 'A', 'B', 'C'])
  const { failed } = await statusOf<FoldersStatus>(mnt)
  t.deepEqual(
    failed.map(({ image }) => basename(image)),
    ['broken.qed', 'none.fvd'],
  )
  t.regex(await work.rawmounts('status', mnt), /^left out +.*none\.fvd: does not exist/m)
  await work.rawmounts('umount', mnt)
})

test('when none of several images can be opened, nothing is mounted', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const work = await scratch(t)
  const mnt = await work.directory('mnt')
  const outcome = await work.rawmount('mount', work.join('a.qed'), work.join('b.qed'), mnt)
  t.like(outcome, {
    code: 1,
    stderr: `rawmount: none of 2 images can be opened; the first: ${work.join('a.qed')}: does not exist; check the name\n`,
  })
  t.deepEqual(await mountpointsBelow(work.path), [])
})

test('a directory gives its images, by their magic or name, and passes over what is none', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const work = await scratch(t)
  await mkdir(work.join('vms/deeper'), { recursive: true })
  for (const image of await three(work)) await rename(image, work.join(`vms/${basename(image)}`))
  await rename(await work.create('x.qed', '1M'), work.join('vms/magic'))
  await writeFile(work.join('vms/readme.txt'), 'not an image\n')
  const mnt = await work.directory('mnt')
  await work.rawmounts('mount', work.join('vms'), mnt)
  t.deepEqual(await readdir(mnt), ['.rawmount', 'A', 'B', 'C', 'magic'])
  t.is((await succeed('findmnt', '--noheadings', '--output', 'SOURCE', mnt)).trim(), work.join('vms'))
  await work.rawmounts('umount', mnt)
})

test('a directory without images, and two images of one name, are refused in one line', async t => {
  const work = await scratch(t)
  const mnt = await work.directory('mnt')
  const empty = await work.directory('empty')
  await writeFile(join(empty, 'readme.txt'), '')
  const nothing = await work.rawmount('mount', empty, mnt)
  t.is(nothing.code, 1)
  t.is(
    nothing.stderr,
    `rawmount: ${empty}: a directory without images: none of its files is called .fvd, .qcow2, .qed, .raw, or has the magic of one\n`,
  )
  const twice = await work.rawmount('mount', work.join('a.qed'), work.join('other/a.fvd'), mnt)
  t.is(twice.code, 1)
  t.is(
    twice.stderr,
    `rawmount: ${work.join('other/a.fvd')}: would be shown as a, as would ${work.join('a.qed')}; mount them apart, or give one of them another name with a link\n`,
  )
  const vms = await work.directory('vms')
  for (const name of ['a.qed', 'a.raw']) await writeFile(join(vms, name), '')
  t.is(
    (await work.rawmount('mount', vms, mnt)).stderr,
    `rawmount: ${join(vms, 'a.raw')}: would be shown as a, as would ${join(vms, 'a.qed')}; rename one of them, or name the images that you want instead of their directory\n`,
  )
  t.deepEqual(await mountpointsBelow(work.path), [])
})

test('a directory without images among others is reported, and does not hinder them', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const work = await scratch(t)
  const [empty, mnt] = [await work.directory('empty'), await work.directory('mnt')]
  const image = await work.create('a.qed', '1M')
  for (const options of [[], ['-r'], ['--overlay', 'temp']]) {
    const outcome = await work.rawmount('mount', ...options, empty, image, mnt)
    t.is(outcome.code, 0)
    t.regex(outcome.stderr, new RegExp(`^[^\n]*left out: ${empty}: a directory without images: [^\n]+\n$`))
    t.deepEqual(await readdir(mnt), ['.rawmount', 'a'])
    await work.rawmounts('umount', mnt)
  }
  const nothing = await work.rawmount('mount', empty, empty, mnt)
  t.like(nothing, { code: 1 })
  t.regex(nothing.stderr, /^rawmount: [^\n]*: a directory without images: [^\n]+\n$/)
})

test('an image that others stand on is read-only beside them, in whatever order they are named', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const work = await scratch(t)
  const base = await work.create('golden.qed', '16M')
  const vm1 = await work.create('vm1.qed', '-b', base)
  const vm2 = await work.create('vm2.fvd', '-f', 'fvd', '-b', vm1)
  await symlink(base, work.join('link.qed'))
  const before = await hash(base)
  for (const [images, names] of [
    [[base, vm1], ['golden']],
    [[vm2, work.join('link.qed')], ['link']],
    [
      [vm1, base, vm2],
      ['vm1', 'golden'],
    ],
  ] as const) {
    const mnt = await work.directory('mnt')
    const outcome = await work.rawmount('mount', ...images, mnt)
    t.is(outcome.code, 0, outcome.stderr)
    t.is(
      outcome.stderr.match(/is shown read-only, as .* stands on it/g)?.length,
      names.length,
      outcome.stderr,
    )
    for (const image of images) {
      const name = basename(image).split('.')[0]!
      const { mode } = await stat(join(mnt, name, 'disk.raw'))
      t.is(mode & 0o222, (names as readonly string[]).includes(name) ? 0 : 0o200, name)
    }
    await work.rawmounts('umount', mnt)
    await rm(mnt, { recursive: true })
  }
  t.is(await hash(base), before)
})

test('what is called .raw is raw among several images, whatever a guest has written into it', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const work = await scratch(t)
  const [qed = '', , raw = ''] = await three(work)
  await writeFile(raw, await readFile(qed))
  const mnt = await work.directory('mnt')
  await work.rawmounts('mount', qed, raw, mnt)
  const shown = await readFile(join(mnt, 'C/disk.raw'))
  t.is(shown.subarray(0, 4).toString('latin1'), 'QED\0')
  await work.rawmounts('umount', mnt)
})

test('a signal closes all images of a mount cleanly', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const work = await scratch(t)
  const images = await three(work)
  const mnt = await work.directory('mnt')
  await work.rawmounts('mount', ...images, mnt)
  for (const name of ['A', 'B', 'C'])
    await writeFile(join(mnt, name, 'disk.raw'), Buffer.alloc(MiB, 7), { flag: 'r+' })
  const { pid } = await statusOf<FoldersStatus>(mnt)
  process.kill(pid, 'SIGTERM')
  await until(async () => (await work.processes(0)).length === 0)
  for (const image of images.slice(0, 2)) await work.rawmounts('check', '-q', image)
  t.deepEqual(await mountpointsBelow(work.path), [])
})

test('what is read of one of many images is kept in it, when it was asked for', async t => {
  if (lacks(t, ...NEEDS.kernel)) return
  const work = await scratch(t)
  const base = work.join('base.img')
  await writeFile(base, Buffer.alloc(MiB, 6))
  const on = ['-f', 'fvd', '-b', base, '-F', 'raw', '-o', 'copy_on_read=on']
  const images = [await work.create('one.fvd', ...on), await work.create('two.fvd', ...on)]
  const mnt = await work.directory('mnt')
  await work.rawmounts('mount', ...images, mnt)
  t.true((await readFile(join(mnt, 'one/disk.raw'))).equals(Buffer.alloc(MiB, 6)))
  await until(async () => (await statusOf<MountStatus>(join(mnt, 'one'))).copyOnRead.copied === MiB)
  t.is((await statusOf<MountStatus>(join(mnt, 'two'))).copyOnRead.copied, 0)
  await work.rawmounts('umount', mnt)
  await rm(base)
  await writeFile(base, Buffer.alloc(MiB, 7))
  const read = await work.mount(images[0]!, '-r')
  t.true((await readFile(read.disk)).equals(Buffer.alloc(MiB, 6)))
  await read.unmount()
})

const TOO_MANY =
  ": too many files are open (EMFILE): raise the limit ('ulimit -n'), or mount fewer images at once"

/** Limits at which one thing after the other is the one for which no descriptor is left; 100 are for the images. */
const LIMITS: Record<TransportName, readonly number[]> = {
  kernel: [118, 119, 120, 121, 122, 123, 124],
  libfuse: [117, 118, 119, 120, 121, 122, 123],
}

for (const transport of TRANSPORTS) {
  test(`${transport}: a mount that runs out of descriptors, wherever that is, leaves no mount and no daemon`, async t => {
    if (lacks(t, ...NEEDS[transport])) return
    const work = await scratch(t)
    const directory = await work.directory('vms')
    for (let n = 0; n < 100; n++) await writeFile(join(directory, `${n}.raw`), Buffer.alloc(512))
    const mnt = await work.directory('mnt')
    const mount = `ulimit -n "$1"; exec "$2" "$3" mount --transport "$4" "$5" "$6"`
    // What the first transport lacks is not looked for with the second.
    const asked = transport === 'kernel' ? 'auto' : transport
    const reasons = new Set<string>()
    for (const limit of LIMITS[transport]) {
      const child = work.start(
        'sh',
        '-c',
        mount,
        'sh',
        `${limit}`,
        process.execPath,
        PROGRAM,
        asked,
        directory,
        mnt,
      )
      const [[code], stderr] = await Promise.all([once(child, 'close'), text(child.stderr!)])
      if (code === 0) await work.rawmounts('umount', mnt)
      else {
        t.regex(stderr, /^rawmount: [^\n]+\bEMFILE\b[^\n]+\n$/m)
        reasons.add(/: (?:too many files are open|the daemon failed).*/.exec(stderr)![0])
      }
      t.deepEqual(await mountpointsBelow(work.path), [], `${limit}`)
      t.deepEqual(await work.processes(5000), [], `${limit}`)
    }
    // libfuse is loaded by then, and what cannot be loaded has a text of its own.
    if (transport === 'kernel') t.deepEqual([...reasons], [TOO_MANY])
    else t.true(reasons.size > 0)
  })
}
