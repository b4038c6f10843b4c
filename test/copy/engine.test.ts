import { readFile, rm, writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { CopyEngine } from '../../src/copy/engine.js'
import type { CopyRequest } from '../../src/disk/copying.js'
import { createImage } from '../../src/disk/create.js'
import { openImage } from '../../src/disk/open.js'
import { ImageError } from '../../src/errors.js'
import { IoBuffer } from '../../src/libc/io-buffer.js'
import { COPY_ALL } from '../support/copying.js'
import { type Scratch, scratch } from '../support/mounting.js'
import { pattern } from '../support/pattern.js'

const MIB = 1 << 20
const SIZE = 24 * MIB

interface Setting {
  readonly work: Scratch
  readonly image: string
  readonly base: string
  readonly bytes: Buffer
}

async function make(t: ExecutionContext, format: string, options: [string, string][] = []): Promise<Setting> {
  const work = await scratch(t)
  const base = work.join('base.raw')
  const bytes = Buffer.from(pattern(0, SIZE, 1, 1))
  await writeFile(base, bytes)
  const image = work.join(`vm.${format}`)
  createImage(image, {
    format,
    size: SIZE,
    backing: { name: base, format: 'raw' },
    options: new Map(options),
  })
  return { work, image, base, bytes }
}

function open(t: ExecutionContext, path: string, request: Partial<CopyRequest> = {}) {
  const image = openImage(path, {
    writable: true,
    copying: { ...COPY_ALL, detach: request.prefetch !== 'off', ...request },
  })
  const engine = CopyEngine.for(image)!
  // A thread that goes on would keep the test's process.
  t.teardown(() => engine.stop())
  return { image, engine, disk: image.disk }
}

function contents(path: string): Buffer {
  const image = openImage(path)
  const buffer = new IoBuffer(SIZE)
  image.disk.read(0, SIZE, buffer, 0)
  image.close()
  return Buffer.from(buffer.bytes)
}

for (const [format, options] of [
  ['fvd', [['compact_image', 'on']]],
  ['fvd', []],
  ['qed', []],
] as [string, [string, string][]][]) {
  const name = [format, ...options.flat()].join(' ')
  test(`${name}: threads fill an image while it is read and written, and its base may be deleted before it is closed`, async t => {
    const { image: path, base, bytes } = await make(t, format, options)
    const { image, engine, disk } = open(t, path)
    engine.start()
    const buffer = new IoBuffer(MIB)
    for (let n = 0; n < 20; n++) {
      // All of it fits the ring, so that all of it is kept.
      disk.read(n * MIB, 65536, buffer, 0)
      const read = buffer.bytes.subarray(0, 65536)
      if (Buffer.compare(read, bytes.subarray(n * MIB, n * MIB + 65536)) !== 0) return t.fail(`MiB ${n}`)
      disk.write(n * MIB + 1000, 3000, buffer, 5)
      bytes.set(buffer.bytes.subarray(5, 3005), n * MIB + 1000)
    }
    await engine.finished
    const { prefetch, base: left } = engine.status()
    t.is(prefetch.state, 'done')
    t.deepEqual([left.remaining, left.total, left.errors], [0, SIZE, 0])
    t.is(left.read, SIZE, 'each byte is read once')
    await rm(base)
    disk.read(SIZE - MIB, MIB, buffer, 0)
    t.is(Buffer.compare(buffer.bytes, bytes.subarray(SIZE - MIB)), 0)
    await engine.stop()
    image.close()
    return t.is(Buffer.compare(contents(path), bytes), 0)
  })
}

test('what was copied before a stop is not read from the base again', async t => {
  const { image: path, bytes } = await make(t, 'fvd', [['compact_image', 'on']])
  const limited = open(t, path, { prefetchRate: 32 * MIB })
  limited.engine.start()
  while (limited.engine.status().prefetch.copied < 4 * MIB) await sleep(5)
  await limited.engine.stop()
  const first = limited.engine.status().base.read
  t.true(first < SIZE)
  limited.image.close()
  const rest = open(t, path)
  rest.engine.start()
  await rest.engine.finished
  t.is(first + rest.engine.status().base.read, SIZE)
  await rest.engine.stop()
  rest.image.close()
  t.is(Buffer.compare(contents(path), bytes), 0)
})

test('with the delay of the header, prefetching waits and says so', async t => {
  const { image: path } = await make(t, 'fvd', [['prefetch_start_delay', '600']])
  const { image, engine } = open(t, path, { prefetch: 'image' })
  engine.start()
  const { state, reason } = engine.status().prefetch
  t.deepEqual([state, reason], ['waiting', 'starts 600 s after the mount'])
  await engine.stop()
  image.close()
})

test('to detach from a base that is not fetched is refused', async t => {
  const { image: path } = await make(t, 'qed')
  const copying = { ...COPY_ALL, prefetch: 'image' } as const
  t.throws(() => openImage(path, { writable: true, copying }), {
    code: 'INVALID',
    message:
      /vm\.qed: --detach takes the base away when all of it was fetched, and nothing is; say --prefetch=on, too/,
  })
})

test('with nothing to be copied there is no engine', async t => {
  const { image: path } = await make(t, 'fvd')
  const image = openImage(path, {
    writable: true,
    copying: { ...COPY_ALL, copyOnRead: 'image', prefetch: 'image', detach: false },
  })
  t.is(CopyEngine.for(image), null)
  image.close()
})

test('a recorded profile is kept in an image with room for it, and fetched by another image over the same base', async t => {
  const { work, image: path, base } = await make(t, 'fvd', [['profile_size', '64K']])
  const first = open(t, path, { prefetch: 'off', copyOnRead: 'off', recordProfile: true })
  first.engine.start()
  const buffer = new IoBuffer(MIB)
  first.disk.read(9 * MIB, 4096, buffer, 0)
  first.disk.read(2 * MIB, 8192, buffer, 0)
  await first.engine.stop()
  t.deepEqual(first.image.profile!.read(), [
    { offset: 9 * MIB, length: 4096 },
    { offset: 2 * MIB, length: 8192 },
  ])
  first.image.close()

  const other = work.join('other.qed')
  createImage(other, { format: 'qed', size: SIZE, backing: { name: base, format: 'raw' } })
  const second = open(t, other, { prefetch: 'off', prefetchProfile: { path } })
  second.engine.start()
  while (second.engine.status().prefetch.state !== 'off') await sleep(5)
  t.is(second.engine.status().prefetch.copied, 2 * 65536)
  await second.engine.stop()
  second.image.close()
})

test('a profile for an image without room for one goes to a file beside it', async t => {
  const { image: path } = await make(t, 'qed')
  const { image, engine, disk } = open(t, path, { prefetch: 'off', recordProfile: true })
  engine.start()
  disk.read(MIB, 65536, new IoBuffer(65536), 0)
  await engine.stop()
  image.close()
  t.is(await readFile(`${path}.profile`, 'utf8'), `rawmount-profile 1\n${MIB} 65536\n`)
  const again = open(t, path, { prefetch: 'off', prefetchProfile: 'on' })
  again.image.close()
})

test('a profile that is asked for and not there is refused with the way to one', async t => {
  const { image: path } = await make(t, 'qed')
  const image = openImage(path, { writable: true, copying: { ...COPY_ALL, prefetchProfile: 'on' } })
  const error = t.throws(() => CopyEngine.for(image), { instanceOf: ImageError })
  t.regex(error.message, /no profile was recorded; do that once with --record-profile/)
  image.close()
})

test('an image that asks for a profile that it does not have opens with a warning', async t => {
  const { image: path } = await make(t, 'fvd', [['profile_directed_prefetch_start_delay', '1']])
  const { image, engine } = open(t, path, { prefetchProfile: 'image' })
  t.regex(engine.warnings[0]!, /no profile was recorded/)
  image.close()
})
