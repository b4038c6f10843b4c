import { stat, writeFile } from 'node:fs/promises'
import test from 'ava'
import { scratch } from '../support/mounting.js'
import { QEMU, qemuIo } from '../support/qemu.js'
import { lacks, succeed } from '../support/tools.js'
import { complains } from './support/complaint.js'

const LAYOUTS = [
  ['raw'],
  ['qed'],
  ['qed', '-o', 'cluster_size=4K,table_size=2'],
  ['fvd'],
  ['fvd', '-o', 'compact_image=on'],
  ['fvd', '-o', 'compact_image=on,chunk_size=64K'],
] as const

test('a converted image is as long as was measured, and when it is full, too', async t => {
  if (lacks(t, ...QEMU)) return
  const work = await scratch(t)
  const image = await work.create('a.qed', '24M')
  await qemuIo(image, 'qed', 'write -P 1 0 3M', 'write -P 2 20M 64k', 'write -P 3 64k 64k')
  const filled = work.join('filled.raw')
  await writeFile(filled, Buffer.alloc(24 << 20, 1))
  for (const [format, ...options] of LAYOUTS) {
    const args = ['-O', format, ...options]
    const measured = JSON.parse(await work.rawmounts('measure', '--output=json', ...args, image))
    const made = work.join(`made.${format}`)
    await work.rawmounts('convert', '-q', '--force', ...args, image, made)
    t.true((await stat(made)).size <= measured.required)
    const flat = args.join(' ') === '-O fvd'
    // The file of a flat image ends with its last data.
    if (!flat) t.is((await stat(made)).size, measured.required, args.join(' '))
    await work.rawmounts('convert', '-q', '--force', '-f', 'raw', ...args, filled, made)
    t.is((await stat(made)).size, measured['fully-allocated'], args.join(' '))
  }
})

test('an empty disk is measured by its size, as qemu-img does for raw', async t => {
  if (lacks(t, ...QEMU)) return
  const work = await scratch(t)
  const args = ['--output=json', '-O', 'raw', '--size', '3G']
  t.deepEqual(
    JSON.parse(await work.rawmounts('measure', ...args)),
    JSON.parse(await succeed('qemu-img', 'measure', ...args)),
  )
  t.is(
    await work.rawmounts('measure', '-O', 'qed', '--size', '1G'),
    'required size: 327680\nfully allocated size: 1074331648\n',
  )
})

test('a source and a size exclude each other, and one of them is needed', async t => {
  const work = await scratch(t)
  complains(t, await work.rawmount('measure', '-O', 'qed'), '--size')
  complains(t, await work.rawmount('measure', '-O', 'qed', '--size', '1G', 'a.qed'), 'not both')
  complains(
    t,
    await work.rawmount('measure', '-O', 'qcow2', '--size', '1G'),
    'only read; choose fvd or qed or raw',
  )
  complains(
    t,
    await work.rawmount('measure', '-O', 'qed', '-o', 'cluster_size=3', '--size', '1G'),
    'cluster_size 3',
  )
})
