import test from 'ava'
import { scratch } from '../support/mounting.js'
import { QEMU, qemuIo } from '../support/qemu.js'
import { lacks, succeed } from '../support/tools.js'

/** `rawmount map`, `info` and `check` say of an image what qemu-img says. */
interface MapEntry {
  start: number
  length: number
  depth: number
  present: boolean
  zero: boolean
  data: boolean
  offset?: number
}

/** Neighbours that say the same joined: how finely a tool cuts is its own affair. */
function joined(entries: readonly MapEntry[]): MapEntry[] {
  const result: MapEntry[] = []
  for (const { start, length, depth, present, zero, data, offset } of entries) {
    const entry = { start, length, depth, present, zero, data, ...(data ? { offset } : {}) }
    const last = result.at(-1)
    const follows = last?.offset === undefined || last.offset + last.length === offset
    const alike =
      last?.depth === depth && last.present === present && last.zero === zero && last.data === data
    if (alike && follows) last.length += length
    else result.push(entry)
  }
  return result
}

async function maps(image: string, rawmount: (...args: string[]) => Promise<string>) {
  const ours = JSON.parse(await rawmount('map', '--output', 'json', image)) as MapEntry[]
  const theirs = JSON.parse(
    await succeed('qemu-img', 'map', '-f', 'qed', '--output', 'json', image),
  ) as MapEntry[]
  return { ours: joined(ours), theirs: joined(theirs) }
}

const SCRIPTS = {
  'with data, zeros and nothing': [
    'write -P 1 0 64k',
    'write -P 2 1M 200k',
    'write -z 2M 128k',
    'write -P 3 5M 1M',
  ],
  'with nothing in it': [],
  'that is full': ['write -P 1 0 8M'],
}

for (const [which, commands] of Object.entries(SCRIPTS)) {
  test(`map agrees with qemu-img map on an image ${which}`, async t => {
    if (lacks(t, ...QEMU)) return
    const work = await scratch(t)
    await succeed('qemu-img', 'create', '-q', '-f', 'qed', work.join('disk.qed'), '8M')
    if (commands.length > 0) await qemuIo(work.join('disk.qed'), 'qed', ...commands)
    const { ours, theirs } = await maps(work.join('disk.qed'), (...args) => work.rawmounts(...args))
    t.deepEqual(ours, theirs)
  })
}

for (const format of ['raw', 'qed']) {
  test(`map agrees with qemu-img map on a chain that ends in ${format}`, async t => {
    if (lacks(t, ...QEMU)) return
    const work = await scratch(t)
    await succeed('qemu-img', 'create', '-q', '-f', format, work.join('base'), '5M')
    await qemuIo(work.join('base'), format, 'write -P 9 0 1M', 'write -P 8 3M 1M')
    const backing = ['-b', 'base', '-F', format]
    await succeed('qemu-img', 'create', '-q', '-f', 'qed', ...backing, work.join('disk.qed'), '8M')
    await qemuIo(work.join('disk.qed'), 'qed', 'write -P 1 512k 64k', 'write -z 3M 64k', 'write -P 3 6M 64k')
    const { ours, theirs } = await maps(work.join('disk.qed'), (...args) => work.rawmounts(...args))
    t.deepEqual(ours, theirs)
  })
}

test('info tells sizes, format and backing file as qemu-img info does', async t => {
  if (lacks(t, ...QEMU)) return
  const work = await scratch(t)
  await succeed('qemu-img', 'create', '-q', '-f', 'raw', work.join('base'), '5M')
  const image = work.join('disk.qed')
  await succeed('qemu-img', 'create', '-q', '-f', 'qed', '-b', 'base', '-F', 'raw', image, '8M')
  await qemuIo(image, 'qed', 'write -P 1 0 1M')
  const ours = JSON.parse(await work.rawmounts('info', '--output', 'json', image))
  const theirs = JSON.parse(await succeed('qemu-img', 'info', '--output', 'json', image))
  for (const key of [
    'filename',
    'format',
    'virtual-size',
    'actual-size',
    'cluster-size',
    'dirty-flag',
    'backing-filename',
  ]) {
    t.deepEqual(ours[key], theirs[key], key)
  }
})

test('check counts clusters as qemu-img check does', async t => {
  if (lacks(t, ...QEMU)) return
  const work = await scratch(t)
  const image = work.join('disk.qed')
  await succeed('qemu-img', 'create', '-q', '-f', 'qed', image, '64M')
  await qemuIo(image, 'qed', 'write -P 1 0 1M', 'write -P 1 40M 640k')
  const ours = JSON.parse(await work.rawmounts('check', '--output', 'json', image))
  const theirs = JSON.parse(await succeed('qemu-img', 'check', '--output', 'json', image))
  for (const key of [
    'format',
    'check-errors',
    'total-clusters',
    'allocated-clusters',
    'fragmented-clusters',
  ]) {
    t.deepEqual(ours[key], theirs[key], key)
  }
})
