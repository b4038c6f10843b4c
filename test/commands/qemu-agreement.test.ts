import { truncate, writeFile } from 'node:fs/promises'
import test, { type ExecutionContext } from 'ava'
import { type Scratch, scratch } from '../support/mounting.js'
import { lacks, run, succeed } from '../support/tools.js'

/** What the commands print is what qemu-img prints: a script for one works with the other. */
type Json = Record<string, unknown>

async function qemuImage(
  work: Scratch,
  name: string,
  create: readonly string[],
  ...writes: string[]
): Promise<string> {
  const image = work.join(name)
  const size = create.at(-1)!.match(/^\d/) ? [create.at(-1)!] : []
  await succeed(
    'qemu-img',
    'create',
    '-q',
    '-f',
    'qed',
    ...create.slice(0, create.length - size.length),
    image,
    ...size,
  )
  if (writes.length > 0)
    await succeed('qemu-io', '-f', 'qed', ...writes.flatMap(write => ['-c', write]), image)
  return image
}

/** Images of all kinds; `chains` says how each is called, and the format that must be said. */
async function makeChains(work: Scratch): Promise<[string, string][]> {
  const sparse = work.join('sparse.raw')
  await writeFile(sparse, Buffer.alloc(70_000, 1))
  await truncate(sparse, 5 << 20)
  await succeed('qemu-io', '-f', 'raw', '-c', 'write -P 9 3M 64k', sparse)
  const lone = await qemuImage(
    work,
    'lone.qed',
    ['64M'],
    'write -P 1 100k 300k',
    'write -z 1M 1M',
    'write -P 2 40M 64k',
    'write -P 3 20M 64k',
    // Side by side on the disk, in the other order in the file.
    'write -P 4 30784k 64k',
    'write -P 5 30M 64k',
  )
  // A hole of the file in the middle of its data: of a QED image that is still data.
  await succeed('fallocate', '--punch-hole', '--offset', `${6 * 65536}`, '--length', '65536', lone)
  const small = await qemuImage(
    work,
    'small.qed',
    ['-o', 'cluster_size=4k,table_size=2', '3M'],
    'write -P 1 0 10k',
    'write -z 128k 64k',
    'write -P 1 2M 1M',
  )
  const middle = await qemuImage(
    work,
    'middle.qed',
    ['-b', small, '-F', 'qed', '8M'],
    'write -P 1 5M 64k',
    'write -z 1M 64k',
  )
  const top = await qemuImage(work, 'top.qed', ['-b', 'middle.qed', '-F', 'qed', '6M'], 'write -P 4 4M 128k')
  const onRaw = await qemuImage(
    work,
    'on-raw.qed',
    ['-b', 'sparse.raw', '-F', 'raw', '9M'],
    'write -P 4 1M 64k',
    'write -z 64k 64k',
  )
  const full = await qemuImage(work, 'full.qed', ['2M'], 'write -P 1 0 2M')
  const empty = await qemuImage(work, 'empty.qed', ['100G'])
  const qed = [lone, small, middle, top, onRaw, full, empty].map((image): [string, string] => [image, 'qed'])
  return [...qed, [sparse, 'raw']]
}

async function onChains(
  t: ExecutionContext,
  compare: (work: Scratch, image: string, format: string) => Promise<void>,
): Promise<void> {
  if (lacks(t, 'qemu-img', 'qemu-io', 'fallocate')) return
  const work = await scratch(t)
  for (const [image, format] of await makeChains(work)) await compare(work, image, format)
}

test('map --output json is what qemu-img prints, byte for byte', t =>
  onChains(t, async (work, image, format) => {
    const args = ['map', '-f', format, '--output=json', image]
    t.is(await work.rawmounts(...args), await succeed('qemu-img', ...args), image)
  }))

test('map for people is what qemu-img prints, byte for byte', t =>
  onChains(t, async (work, image, format) => {
    // QEMU shows a base by its full path, as it is named from the working directory.
    const args = ['map', '-f', format, image]
    t.is(await work.rawmounts(...args), await succeed('qemu-img', ...args), image)
  }))

test('info --output json has the keys and values of qemu-img, and the facts of the format besides', t =>
  onChains(t, async (work, image, format) => {
    const args = ['info', '-f', format, '--output=json', image]
    const { 'format-specific': specific, ...rest } = JSON.parse(await work.rawmounts(...args)) as Json
    t.deepEqual(rest, JSON.parse(await succeed('qemu-img', ...args)), image)
    t.is((specific as Json | undefined)?.type, format === 'qed' ? 'qed' : undefined)
  }))

test('info --backing-chain lists the images that qemu-img lists', t =>
  onChains(t, async (work, image, format) => {
    const args = ['info', '-f', format, '--backing-chain', '--output=json', image]
    const ours = JSON.parse(await work.rawmounts(...args)) as Json[]
    const theirs = JSON.parse(await succeed('qemu-img', ...args)) as Json[]
    t.deepEqual(
      ours.map(({ 'format-specific': _, ...rest }) => rest),
      theirs,
    )
  }))

test('info for people has the lines of qemu-img', t =>
  onChains(t, async (work, image, format) => {
    const args = ['info', '-f', format, image]
    const ours = await work.rawmounts(...args)
    t.true(ours.startsWith(await succeed('qemu-img', ...args)), ours)
  }))

test('check --output json has the keys and values of qemu-img, and the end of the image besides', t =>
  onChains(t, async (work, image, format) => {
    const args = ['check', '-f', format, '--output=json', image]
    const theirs = await run('qemu-img', args)
    const ours = await work.rawmount(...args)
    t.is(ours.code, theirs.code)
    if (format === 'raw') return
    const { 'image-end-offset': end, ...rest } = JSON.parse(ours.stdout) as Json
    t.deepEqual(rest, JSON.parse(theirs.stdout), image)
    t.is(typeof end, 'number')
  }))

test('an image in use is refused, and read all the same with -U', async t => {
  if (lacks(t, 'qemu-io')) return
  const work = await scratch(t)
  const image = await work.create('a.qed', '1M')
  const writer = work.start('qemu-io', '-f', 'qed', image)
  await new Promise(resolve => writer.stdout!.once('data', resolve))
  for (const command of ['info', 'map', 'check']) {
    const { code, stderr } = await work.rawmount(command, image)
    t.is(code, 1)
    t.regex(stderr, /^rawmount: .*a\.qed: is (being written by another program|in use by process \d+).*\n$/)
    t.is((await work.rawmount(command, '-U', image)).code, 0)
  }
  const ended = new Promise(resolve => writer.once('exit', resolve))
  writer.stdin!.end('quit\n')
  await ended
})
