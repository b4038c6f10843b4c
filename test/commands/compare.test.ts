import { open, readFile, truncate, writeFile } from 'node:fs/promises'
import test, { type ExecutionContext } from 'ava'
import { type Scratch, scratch } from '../support/mounting.js'
import { QEMU, qemuIo } from '../support/qemu.js'
import { lacks, run } from '../support/tools.js'
import { oneLine } from './support/complaint.js'
import { setFields } from './support/qed-header.js'

const MIB = 1 << 20

/** The exit code, which must be that of qemu-img, and what was said. */
async function compared(t: ExecutionContext, work: Scratch, ...args: string[]) {
  const { code, stdout, stderr } = await work.rawmount('compare', ...args)
  const theirs = await run('qemu-img', ['compare', ...args])
  t.is(code, theirs.code, `${args.join(' ')}: ${stdout}${stderr}${theirs.stdout}${theirs.stderr}`)
  return { code, stdout, stderr }
}

const RAW = ['-f', 'raw', '-F', 'raw']

test('the first byte that differs is told, wherever it is, and exit codes are those of qemu-img', async t => {
  if (lacks(t, ...QEMU)) return
  const work = await scratch(t)
  const bytes = Buffer.alloc(5 * MIB + 77, 5)
  bytes.fill(0, MIB, 2 * MIB)
  const [one, other] = [work.join('a.raw'), work.join('b.raw')]
  await writeFile(one, bytes)
  await writeFile(other, bytes)
  t.like(await compared(t, work, ...RAW, one, other), { code: 0, stdout: 'The disks are the same.\n' })
  const changed = await open(other, 'r+')
  // Each before the one before.
  for (const at of [bytes.length - 1, 4 * MIB + 1, 4 * MIB - 1, 1.5 * MIB, 0]) {
    await changed.write(Buffer.from([9]), 0, 1, at)
    const was = bytes[at] === 0 ? '0x00' : '0x05'
    const expected = `The disks differ from offset ${at} on: ${one} has ${was} there, ${other} 0x09.\n`
    t.like(await compared(t, work, ...RAW, one, other), { code: 1, stdout: expected, stderr: '' })
  }
  await changed.close()
  const { read, ...told } = JSON.parse(
    (await work.rawmount('compare', '--output=json', ...RAW, one, other)).stdout,
  )
  t.true(read > 0)
  t.deepEqual(told, {
    same: false,
    difference: 'data',
    offset: 0,
    first: { filename: one, 'virtual-size': bytes.length, byte: 5 },
    second: { filename: other, 'virtual-size': bytes.length, byte: 9 },
  })
  t.deepEqual(await compared(t, work, '-q', ...RAW, one, other), { code: 1, stdout: '', stderr: '' })
})

test('a longer disk is the same when zeros follow, but with --strict', async t => {
  if (lacks(t, ...QEMU)) return
  const work = await scratch(t)
  const [one, other] = [work.join('a.raw'), work.join('b.raw')]
  await writeFile(one, Buffer.alloc(MIB, 5))
  await writeFile(other, Buffer.alloc(MIB, 5))
  await truncate(other, 2 * MIB)
  for (const pair of [
    [one, other],
    [other, one],
  ]) {
    t.regex(
      (await compared(t, work, ...RAW, ...pair)).stdout,
      /^The disks are the same, but for zeros at the end: /,
    )
    t.regex((await compared(t, work, '-s', ...RAW, ...pair)).stdout, /^The disks differ in size: /)
  }
  await writeFile(other, Buffer.concat([await readFile(one), Buffer.alloc(4096), Buffer.from([7])]))
  for (const pair of [
    [one, other],
    [other, one],
  ]) {
    const { code, stdout } = await compared(t, work, ...RAW, ...pair)
    t.is(code, 1)
    t.is(
      stdout,
      `The disks differ from offset ${MIB + 4096} on: ${one} has ended there, and the other has 0x07.\n`,
    )
  }
})

test('images of all formats, and chains, are compared by what they show', async t => {
  if (lacks(t, ...QEMU)) return
  const work = await scratch(t)
  const base = await work.create('base.qed', '4M')
  await qemuIo(base, 'qed', 'write -P 1 0 1M', 'write -P 2 2M 100k')
  const top = await work.create('top.qed', '-b', 'base.qed')
  await qemuIo(top, 'qed', 'write -P 3 1M 4k', 'write -z 2M 64k')
  const images = [top]
  for (const [name, ...args] of [
    ['a.raw', '-O', 'raw'],
    ['a.fvd', '-O', 'fvd'],
    ['b.fvd', '-O', 'fvd', '-o', 'compact_image=on'],
  ]) {
    await work.rawmounts('convert', '-q', ...args, top, work.join(name!))
    images.push(work.join(name!))
  }
  const format = (image: string) => image.split('.').at(-1)!
  for (const one of images) {
    for (const other of images) {
      t.is(await work.rawmounts('compare', '-q', '-f', format(one), '-F', format(other), one, other), '')
    }
    const { code } = await work.rawmount('compare', '-q', '-f', format(one), one, base)
    t.is(code, 1, one)
  }
})

test('what two images have in one base is not read', async t => {
  const work = await scratch(t)
  await writeFile(work.join('base.raw'), Buffer.alloc(4 * MIB, 5))
  await writeFile(work.join('copy.raw'), Buffer.alloc(4 * MIB, 5))
  const on = (base: string, name: string) => work.create(name, '-b', base, '-F', 'raw')
  const one = await on('base.raw', 'a.qed')
  const compare = async (other: string) =>
    JSON.parse(await work.rawmounts('compare', '--output=json', one, other))
  t.like(await compare(await on('base.raw', 'b.qed')), { same: true, read: 0 })
  t.like(await compare(await on('copy.raw', 'c.qed')), { same: true, read: 8 * MIB })
})

test('what cannot be opened is 2, and so are arguments that are wrong', async t => {
  if (lacks(t, ...QEMU)) return
  const work = await scratch(t)
  const image = await work.create('a.qed', '1M')
  for (const args of [
    [image, work.join('none.qed')],
    [work.join('none.qed'), image],
    ['--nonsense', image, image],
    [image],
  ]) {
    const { code, stdout, stderr } = await work.rawmount('compare', ...args)
    t.is(code, 2)
    t.is(stdout, '')
    oneLine(t, stderr)
  }
  await setFields(image, { l1_table_offset: 1 })
  t.is((await compared(t, work, image, image)).code, 2)
})

test('an image whose tables lead nowhere is 3', async t => {
  if (lacks(t, ...QEMU)) return
  const work = await scratch(t)
  const image = await work.create('a.qed', '1M')
  await qemuIo(image, 'qed', 'write -P 1 0 1M')
  const file = await open(image, 'r+')
  // The first entry of the L1 table.
  await file.write(Buffer.from([0, 0, 0, 0, 0, 0xff, 0, 0]), 0, 8, 65_536)
  await file.close()
  const other = await work.create('b.qed', '1M')
  const { code, stderr } = await compared(t, work, image, other)
  t.is(code, 3)
  oneLine(t, stderr)
})

test('each image of unknown format is told with the option that is for it', async t => {
  const work = await scratch(t)
  const image = await work.create('a.qed', '1M')
  const raw = work.join('b.raw')
  await writeFile(raw, Buffer.alloc(MIB))
  for (const [option, ...images] of [
    ['--format raw', raw, image],
    ['-F raw', image, raw],
  ]) {
    const { code, stderr } = await work.rawmount('compare', ...images)
    t.is(code, 2)
    oneLine(t, stderr)
    t.true(stderr.endsWith(`say so with ${option}\n`), stderr)
  }
})
