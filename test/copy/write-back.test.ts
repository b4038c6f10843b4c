import { writeFile } from 'node:fs/promises'
import { Worker } from 'node:worker_threads'
import test, { type ExecutionContext } from 'ava'
import { WriteBack } from '../../src/copy/write-back.js'
import { createImage } from '../../src/disk/create.js'
import { type OpenImage, openImage } from '../../src/disk/open.js'
import { IoBuffer } from '../../src/libc/io-buffer.js'
import type { BaseWritingOrder } from '../support/base-writing-worker.js'
import { type Scratch, scratch } from '../support/mounting.js'
import { pattern } from '../support/pattern.js'
import { seeded } from '../support/random.js'
import { until } from '../support/tools.js'
import { writing } from '../support/write-base.js'

/** Image and base in files, with threads. */
const SIZE = 1 << 20
const WRITERS = 2

async function make(work: Scratch, format: 'qed' | 'fvd', baseFormat: 'raw' | 'qed') {
  const base = work.join(`base.${baseFormat}`)
  if (baseFormat === 'raw') await writeFile(base, pattern(0, SIZE, 1, 1))
  else createImage(base, { format: baseFormat, size: SIZE })
  const image = work.join(`image.${format}`)
  const options = new Map(format === 'fvd' ? [['compact_image', 'on']] : [['cluster_size', '4096']])
  createImage(image, { format, size: SIZE, backing: { name: base, format: baseFormat }, options })
  return { image, base, baseFormat }
}

function open(t: ExecutionContext, path: string, mode: 'writethrough' | 'writeback') {
  const image = openImage(path, { writable: true, copying: writing(mode) })
  const reports: string[] = []
  const writeBack = WriteBack.for(image, line => reports.push(line))
  t.teardown(async () => {
    await writeBack?.stop()
    image.drop()
  })
  return { image, writeBack, reports }
}

function contents(path: string, format: string): Buffer {
  const image = openImage(path, { format })
  const buffer = new IoBuffer(SIZE)
  image.disk.read(0, SIZE, buffer, 0)
  image.close()
  return Buffer.from(buffer.bytes)
}

function write(image: OpenImage, offset: number, bytes: Uint8Array): void {
  const buffer = new IoBuffer(bytes.length)
  buffer.bytes.set(bytes)
  image.disk.write(offset, bytes.length, buffer, 0)
}

for (const mode of ['writethrough', 'writeback'] as const) {
  for (const [format, baseFormat] of [
    ['fvd', 'qed'],
    ['qed', 'raw'],
  ] as const) {
    test(`${mode}: after threads have written over each other, ${format} image and ${baseFormat} base are equal`, async t => {
      const random = seeded(t)
      const { image, base } = await make(await scratch(t), format, baseFormat)
      const opened = open(t, image, mode)
      const meeting = new SharedArrayBuffer(4)
      const done = Array.from({ length: WRITERS }, (_, thread) => {
        const order: BaseWritingOrder = {
          disk: opened.image.disk.describe(),
          rounds: 250,
          room: 4096,
          thread: thread + 1,
          threads: WRITERS,
          meeting,
          seed: random.fork(thread).seed,
        }
        const worker = new Worker(new URL('../support/base-writing-worker.js', import.meta.url), {
          workerData: order,
        })
        return new Promise((resolve, reject) => {
          worker.once('exit', resolve)
          worker.once('error', reject)
        })
      })
      await Promise.all(done)
      await opened.writeBack?.stop()
      opened.image.close()
      t.deepEqual(opened.reports, [])
      t.true(contents(image, format).equals(contents(base, baseFormat)))
    })
  }
}

test('writeback: what was flushed is in the base soon, without a close', async t => {
  const { image } = await make(await scratch(t), 'qed', 'raw')
  const opened = open(t, image, 'writeback')
  const { baseWriter } = opened.image.disk
  for (let version = 1; version < 20; version++) {
    write(opened.image, version * 5000, pattern(version * 5000, 9000, version, 0))
    t.true(baseWriter!.isBehind)
    opened.image.disk.flush()
    await until(() => Promise.resolve(!baseWriter!.isBehind))
  }
  t.pass()
})

test('only writeback has a thread', async t => {
  const { image } = await make(await scratch(t), 'qed', 'raw')
  t.is(open(t, image, 'writethrough').writeBack, null)
})
