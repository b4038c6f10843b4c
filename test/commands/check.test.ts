import { appendFile, readFile, stat, writeFile } from 'node:fs/promises'
import test from 'ava'
import { scratch } from '../support/mounting.js'
import { complains, oneLine } from './support/complaint.js'
import { setFields } from './support/qed-header.js'

const CLUSTER = 65536
/** Of an image as it is created: header, then the L1 table. */
const L1 = CLUSTER

async function setL1Entry(image: string, index: number, value: bigint): Promise<void> {
  const content = await readFile(image)
  content.writeBigUInt64LE(value, L1 + index * 8)
  await writeFile(image, content)
}

test('a clean image: exit code 0', async t => {
  const work = await scratch(t)
  const image = await work.create('a.qed', '1M')
  t.regex(await work.rawmounts('check', image), /^No errors were found on the image\.$/m)
  t.is(await work.rawmounts('check', '-q', image), '')
})

test('leaks: exit code 3 until they are repaired', async t => {
  const work = await scratch(t)
  const image = await work.create('a.qed', '1M')
  const size = (await stat(image)).size
  await appendFile(image, Buffer.alloc(2 * CLUSTER))
  const before = await readFile(image)

  const found = await work.rawmount('check', image)
  t.is(found.code, 3)
  t.regex(found.stdout, /^2 leaked cluster/m)
  t.is(found.stderr, '')
  t.deepEqual(await readFile(image), before)

  const repaired = await work.rawmounts('check', '-r', 'leaks', '--output=json', image)
  t.like(JSON.parse(repaired), { 'leaks-fixed': 2, 'check-errors': 0 })
  t.false('leaks' in (JSON.parse(repaired) as object))
  t.is((await stat(image)).size, size)
  t.is((await work.rawmount('check', image)).code, 0)
})

test('corruptions: exit code 2, untouched by -r leaks, repaired by -r all', async t => {
  const work = await scratch(t)
  const image = await work.create('a.qed', '1M')
  await setL1Entry(image, 0, 0x7f00_0000_0001n)
  const before = await readFile(image)
  for (const options of [[], ['-r', 'leaks']]) {
    const { code, stdout } = await work.rawmount('check', ...options, '--output', 'json', image)
    t.is(code, 2)
    t.like(JSON.parse(stdout), { corruptions: 1, filename: image, format: 'qed' })
    t.deepEqual(await readFile(image), before)
  }
  t.regex((await work.rawmount('check', image)).stdout, /^1 error/m)
  t.regex(
    await work.rawmounts('check', '-r', 'all', image),
    /^Repaired: 1 corruption\(s\), 0 leaked cluster\(s\)\.$/m,
  )
  t.is((await work.rawmount('check', image)).code, 0)
})

test('an image that was not closed: told by info, cleared by a repair', async t => {
  const work = await scratch(t)
  const image = await work.create('a.qed', '1M')
  await setFields(image, { features: 2 })
  const isDirty = async () =>
    (JSON.parse(await work.rawmounts('info', '--output=json', image)) as Record<string, unknown>)[
      'dirty-flag'
    ]
  t.true(await isDirty())
  t.is((await work.rawmount('check', image)).code, 0)
  t.true(await isDirty())
  await work.rawmounts('check', '-r', 'all', image)
  t.false(await isDirty())
})

test('a raw image has nothing to check: exit code 63', async t => {
  const work = await scratch(t)
  await writeFile(work.join('a.raw'), Buffer.alloc(65536))
  const { code, stdout, stderr } = await work.rawmount('check', '-f', 'raw', work.join('a.raw'))
  t.is(code, 63)
  t.is(stdout, '')
  oneLine(t, stderr)
  complains(t, await work.rawmount('check', work.join('a.raw')), '--format raw')
})

test('a repair needs to know what to repair', async t => {
  const work = await scratch(t)
  complains(t, await work.rawmount('check', '-r', 'some', 'x.qed'), "'-r'", 'leaks or all', "'some'")
})
