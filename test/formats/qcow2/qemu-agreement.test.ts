import test, { type ExecutionContext } from 'ava'
import { type Scratch, scratch } from '../../support/mounting.js'
import { QEMU, qemuIo } from '../../support/qemu.js'
import { lacks, succeed } from '../../support/tools.js'

/** `rawmount map` and `info` say of a qcow2 image what qemu-img says. */
type Json = Record<string, unknown>

const SCRIPT = [
  'write -P 1 0 64k',
  'write -P 2 100k 300k',
  'write -z 1M 512k',
  'write -P 3 3M 1M',
  'write -zu 3M 256k',
  'discard 3600k 64k',
  'write -P 4 1100k 4k',
  'write -P 5 5119k 1k',
  // Side by side on the disk, in the other order in the file.
  'write -P 6 4160k 64k',
  'write -P 6 4096k 64k',
]

async function qemuImage(work: Scratch, name: string, create: string[], ...writes: string[]) {
  const size = create.pop()!
  await succeed('qemu-img', 'create', '-q', '-f', 'qcow2', ...create, work.join(name), size)
  if (writes.length > 0) await qemuIo(work.join(name), 'qcow2', ...writes)
  return work.join(name)
}

async function makeImages(work: Scratch): Promise<string[]> {
  const compressed = work.join('compressed.qcow2')
  const plain = await qemuImage(work, 'plain.qcow2', ['5M'], ...SCRIPT)
  await succeed('qemu-img', 'convert', '-c', '-O', 'qcow2', plain, compressed)
  await qemuIo(compressed, 'qcow2', 'write -P 9 192k 64k', 'write -z 3M 64k')
  await succeed('qemu-img', 'create', '-q', '-f', 'raw', work.join('base.raw'), '3M')
  await qemuIo(work.join('base.raw'), 'raw', 'write -P 9 2M 1M')
  await succeed('qemu-img', 'create', '-q', '-f', 'qed', work.join('base.qed'), '3M')
  await qemuIo(work.join('base.qed'), 'qed', 'write -P 9 500k 1M', 'write -z 2M 64k')
  return [
    plain,
    compressed,
    await qemuImage(work, 'old.qcow2', ['-o', 'compat=0.10', '5M'], ...SCRIPT),
    await qemuImage(work, 'small.qcow2', ['-o', 'cluster_size=512', '5M'], ...SCRIPT),
    await qemuImage(work, 'large.qcow2', ['-o', 'cluster_size=2M', `${(5 << 20) + 512}`], ...SCRIPT),
    await qemuImage(work, 'full.qcow2', ['-o', 'preallocation=metadata,lazy_refcounts=on', '3M']),
    await qemuImage(work, 'empty.qcow2', ['-o', 'refcount_bits=1', '100G']),
    await qemuImage(work, 'on-raw.qcow2', ['-b', 'base.raw', '-F', 'raw', '6M'], ...SCRIPT),
    await qemuImage(
      work,
      'on-qed.qcow2',
      ['-b', work.join('base.qed'), '-F', 'qed', '6M'],
      'write -P 1 1M 1k',
    ),
    await qemuImage(
      work,
      'on-qcow2.qcow2',
      ['-b', 'compressed.qcow2', '-F', 'qcow2', '6M'],
      'write -z 64k 64k',
    ),
  ]
}

async function onImages(
  t: ExecutionContext,
  compare: (work: Scratch, image: string) => Promise<void>,
): Promise<void> {
  if (lacks(t, ...QEMU)) return
  const work = await scratch(t)
  for (const image of await makeImages(work)) await compare(work, image)
}

interface Entry {
  data: boolean
  offset?: number
}

/** The storage that zeros may still have is told by QEMU only: nothing is ever read from there. */
function withoutStorageOfZeros(entries: string): Entry[] {
  return (JSON.parse(entries) as Entry[]).map(({ offset, ...rest }) =>
    rest.data && offset !== undefined ? { ...rest, offset } : rest,
  )
}

test('map --output json is what qemu-img prints, compressed clusters without a place', t =>
  onImages(t, async (work, image) => {
    // Where all metadata look preallocated, QEMU calls the holes of the file zeros.
    if (image.endsWith('/full.qcow2')) return
    const args = ['map', '--output=json', image]
    const ours = withoutStorageOfZeros(await work.rawmounts(...args))
    t.deepEqual(ours, joined(withoutStorageOfZeros(await succeed('qemu-img', ...args))), image)
  }))

/** QEMU parts zeros where their storage does; without that, neighbours are alike. */
function joined(entries: Entry[]): Entry[] {
  const result: (Entry & { start?: number; length?: number })[] = []
  for (const entry of entries as typeof result) {
    const last = result.at(-1)
    const { start: _, length, ...kind } = entry
    const { start: __, length: before = 0, ...lastKind } = last ?? { data: true }
    if (!entry.data && JSON.stringify(kind) === JSON.stringify(lastKind)) last!.length = before + length!
    else result.push(entry)
  }
  return result
}

test('map for people names the place of plain clusters, and says which are compressed', async t => {
  if (lacks(t, ...QEMU)) return
  const work = await scratch(t)
  const image = await qemuImage(work, 'a.qcow2', ['1M'], 'write -P 1 0 64k')
  t.is(await work.rawmounts('map', image), await succeed('qemu-img', 'map', image))
  await qemuIo(image, 'qcow2', 'write -c -P 1 128k 128k')
  t.regex(await work.rawmounts('map', image), /\n0x20000 +0x20000 +compressed +\/.*a\.qcow2\n/)
})

test('info --output json is what qemu-img prints, facts of the format and the chain too', t =>
  onImages(t, async (work, image) => {
    for (const args of [
      ['info', '--output=json', image],
      ['info', '--backing-chain', '--output=json', image],
    ]) {
      const ours = [JSON.parse(await work.rawmounts(...args))].flat() as Json[]
      const theirs = [JSON.parse(await succeed('qemu-img', ...args))].flat() as Json[]
      const isQcow2 = (info: Json) => info.format === 'qcow2'
      t.deepEqual(ours.filter(isQcow2), theirs.filter(isQcow2), image)
      t.is(ours.length, theirs.length)
    }
  }))

test('info for people is what qemu-img prints', t =>
  onImages(t, async (work, image) => {
    t.is(await work.rawmounts('info', image), await succeed('qemu-img', 'info', image))
  }))

test('check has nothing to say of a format that is only read, and ends with 63', async t => {
  if (lacks(t, ...QEMU)) return
  const work = await scratch(t)
  const image = await qemuImage(work, 'a.qcow2', ['1M'])
  const { code, stderr } = await work.rawmount('check', image)
  t.is(code, 63)
  t.regex(stderr, /qcow2/)
})

test('an image in use by QEMU is refused, and read all the same with -U', async t => {
  if (lacks(t, ...QEMU)) return
  const work = await scratch(t)
  const image = await qemuImage(work, 'a.qcow2', ['1M'])
  const writer = work.start('qemu-io', '-f', 'qcow2', image)
  await new Promise(resolve => writer.stdout!.once('data', resolve))
  const { code, stderr } = await work.rawmount('map', image)
  t.is(code, 1)
  t.regex(stderr, /^rawmount: .*a\.qcow2.*another program.*\n$/)
  t.is((await work.rawmount('map', '-U', image)).code, 0)
  const ended = new Promise(resolve => writer.once('exit', resolve))
  writer.stdin!.end('quit\n')
  await ended
})
