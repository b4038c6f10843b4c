import { open, readFile, truncate } from 'node:fs/promises'
import test from 'ava'
import { openImage } from '../../../src/disk/open.js'
import { IoBuffer } from '../../../src/libc/io-buffer.js'
import { type Scratch, scratch } from '../../support/mounting.js'
import { bytesByQemu, bytesByRawmount, createByQemu, QEMU, qemuIo, qemuIoCrash } from '../../support/qemu.js'
import { type Random, seeded } from '../../support/random.js'
import { lacks, succeed } from '../../support/tools.js'

/** Images that qemu-img made and qemu-io wrote show the same disk here. */
const KiB = 1024
const MiB = 1024 * KiB

/** Writes, zeroes and discards here and there, in and across clusters. */
function scribbles(random: Random, size: number, cluster: number): string[] {
  const commands: string[] = []
  for (let count = 0; count < 40; count++) {
    const offset = random.below(size / 512) * 512
    const longest = random.pick([512, cluster, 4 * cluster])
    const length = Math.min(size - offset, (random.below(longest / 512) + 1) * 512)
    const verb = random.pick(['write', 'write', 'write', 'write -z', 'write -zu', 'discard'])
    const fill = verb === 'write' ? `-P ${1 + random.below(254)} ` : ''
    commands.push(`${verb} ${fill}${offset} ${length}`)
  }
  return commands
}

const GEOMETRIES: readonly [string, number, number][] = [
  ['compat=0.10', 64 * KiB, 16 * MiB],
  ['compat=0.10,cluster_size=512', 512, 2 * MiB],
  ['', 64 * KiB, 16 * MiB],
  ['', 64 * KiB, 16 * MiB - 3 * 512],
  ['cluster_size=512', 512, 2 * MiB + 512],
  ['cluster_size=4k', 4 * KiB, 8 * MiB + 1536],
  ['cluster_size=2M', 2 * MiB, 24 * MiB + 512],
  ['lazy_refcounts=on,refcount_bits=64', 64 * KiB, 8 * MiB],
  ['preallocation=metadata', 64 * KiB, 8 * MiB],
  ['preallocation=falloc,cluster_size=4k', 4 * KiB, 2 * MiB + 512],
]

for (const [options, cluster, size] of GEOMETRIES) {
  test(`an image of QEMU reads the same: ${options || 'the defaults'}, ${size} bytes`, async t => {
    if (lacks(t, ...QEMU)) return
    const work = await scratch(t)
    const image = await createByQemu(work, 'disk.qcow2', `${size}`, options)
    await qemuIo(image, 'qcow2', ...scribbles(seeded(t), size, cluster))
    const before = await readFile(image)
    t.true(bytesByRawmount(image).equals(await bytesByQemu(image, 'qcow2')))
    t.true((await readFile(image)).equals(before), 'reading changes nothing')
  })
}

test('an image that a crash of QEMU left dirty reads the same, and is not changed by reading', async t => {
  if (lacks(t, ...QEMU)) return
  const work = await scratch(t)
  const image = await createByQemu(work, 'disk.qcow2', '16M', 'lazy_refcounts=on')
  await qemuIoCrash(image, 'qcow2', ...scribbles(seeded(t), 16 * MiB, 64 * KiB), 'flush')
  const before = await readFile(image)
  const seen = bytesByRawmount(image)
  t.true((await readFile(image)).equals(before))
  // QEMU repairs when it reads.
  t.true(seen.equals(await bytesByQemu(image, 'qcow2')))
})

/** Random bytes, text and zeros in turn, and a last piece that is no whole cluster. */
async function mixedRaw(work: Scratch, random: Random, size: number): Promise<string> {
  const raw = work.join('mixed.raw')
  const file = await open(raw, 'w')
  await file.truncate(size)
  for (let at = 0; at < size; at += 40 * KiB) {
    const bytes = Buffer.alloc(Math.min(40 * KiB, size - at))
    const kind = random.below(4)
    if (kind === 0) continue
    for (let n = 0; n < bytes.length; n += 4) {
      const word = kind === 1 ? random.word() : kind === 2 ? 0x2020_0a41 + (n >> 9) : at
      if (n + 4 <= bytes.length) bytes.writeUInt32LE(word >>> 0, n)
    }
    await file.write(bytes, 0, bytes.length, at)
  }
  await file.close()
  return raw
}

for (const options of [
  '',
  'compat=0.10',
  'cluster_size=512',
  'cluster_size=4k',
  'cluster_size=2M',
] as const) {
  test(`a compressed image reads the same: ${options || 'the defaults'}`, async t => {
    if (lacks(t, ...QEMU)) return
    const work = await scratch(t)
    const random = seeded(t)
    const size = options === 'cluster_size=512' ? 2 * MiB + 512 : 6 * MiB + 1536
    const raw = await mixedRaw(work, random, size)
    const image = work.join('disk.qcow2')
    const list = options === '' ? [] : ['-o', options]
    await succeed('qemu-img', 'convert', '-c', '-f', 'raw', '-O', 'qcow2', ...list, raw, image)
    const expected = await readFile(raw)
    t.true(bytesByRawmount(image).equals(expected))
    // Plain clusters among them.
    await qemuIo(image, 'qcow2', 'write -P 7 100k 200k', 'write -z 1M 256k', 'write -P 8 1500k 5k')
    t.true(bytesByRawmount(image).equals(await bytesByQemu(image, 'qcow2')))
    const opened = openImage(image)
    const buffer = new IoBuffer(300 * KiB)
    const whole = bytesByRawmount(image)
    for (let count = 0; count < 200; count++) {
      const offset = random.below(size)
      const length = random.between(1, Math.min(buffer.length, size - offset))
      opened.disk.read(offset, length, buffer, 0)
      t.true(whole.subarray(offset, offset + length).equals(buffer.bytes.subarray(0, length)))
    }
    opened.close()
  })
}

const CHAINS: readonly [string, readonly string[]][] = [
  ['qcow2 over qcow2 over raw', ['base.raw', 'middle.qcow2', 'top.qcow2']],
  ['QED over qcow2', ['base.qcow2', 'top.qed']],
  ['qcow2 over QED over qcow2', ['base.qcow2', 'middle.qed', 'top.qcow2']],
]

for (const [what, names] of CHAINS) {
  for (const [lengths, sizes] of [
    ['growing', [3 * MiB + 512, 5 * MiB, 9 * MiB + 512]],
    ['shrinking', [9 * MiB + 1024, 6 * MiB + 512, 4 * MiB - 512]],
  ] as const) {
    test(`a chain reads the same: ${what}, ${lengths}`, async t => {
      if (lacks(t, ...QEMU)) return
      const work = await scratch(t)
      const random = seeded(t)
      let below: string[] = []
      let image = ''
      for (const [n, name] of names.entries()) {
        const size = sizes[n]!
        const format = name.split('.').at(-1)!
        const options = format === 'qcow2' ? `cluster_size=${random.pick(['512', '4k', '64k', '2M'])}` : ''
        image = await createByQemu(work, name, `${size}`, options, below)
        await qemuIo(image, format, ...scribbles(random, size, 64 * KiB))
        // Relative names count from the image, not from the working directory.
        below = ['-b', random.chance(0.5) ? name : image, '-F', format]
      }
      t.true(bytesByRawmount(image).equals(await bytesByQemu(image, names.at(-1)!.split('.').at(-1)!)))
    })
  }
}

test('a compressed overlay hides its base, and shows it where it has nothing', async t => {
  if (lacks(t, ...QEMU)) return
  const work = await scratch(t)
  await createByQemu(work, 'base.raw', '4M')
  await qemuIo(work.join('base.raw'), 'raw', 'write -P 1 0 4M')
  const image = await createByQemu(work, 'top.qcow2', '5M', '', ['-b', 'base.raw', '-F', 'raw'])
  await qemuIo(image, 'qcow2', 'write -c -P 2 1M 128k', 'write -c -P 0 2M 64k', 'write -z 3M 64k')
  t.true(bytesByRawmount(image).equals(await bytesByQemu(image, 'qcow2')))
})

test('of an image with internal snapshots, the active state is read', async t => {
  if (lacks(t, ...QEMU)) return
  const work = await scratch(t)
  const random = seeded(t)
  const image = await createByQemu(work, 'disk.qcow2', '8M', 'cluster_size=4k')
  for (const name of ['one', 'two']) {
    await qemuIo(image, 'qcow2', ...scribbles(random, 8 * MiB, 4 * KiB))
    await succeed('qemu-img', 'snapshot', '-c', name, image)
  }
  await qemuIo(image, 'qcow2', ...scribbles(random, 8 * MiB, 4 * KiB))
  t.true(bytesByRawmount(image).equals(await bytesByQemu(image, 'qcow2')))
  await succeed('qemu-img', 'snapshot', '-a', 'one', image)
  t.true(bytesByRawmount(image).equals(await bytesByQemu(image, 'qcow2')))
})

test('an image that was grown and shrunk reads the same', async t => {
  if (lacks(t, ...QEMU)) return
  const work = await scratch(t)
  const image = await createByQemu(work, 'disk.qcow2', '1M', 'cluster_size=512')
  await qemuIo(image, 'qcow2', 'write -P 1 0 1M')
  await succeed('qemu-img', 'resize', '-q', image, '3M')
  await qemuIo(image, 'qcow2', 'write -P 2 2M 1M')
  t.true(bytesByRawmount(image).equals(await bytesByQemu(image, 'qcow2')))
  await succeed('qemu-img', 'resize', '-q', '--shrink', image, '700k')
  t.true(bytesByRawmount(image).equals(await bytesByQemu(image, 'qcow2')))
})

test('a sparse image of many TiB is read where it has something', async t => {
  if (lacks(t, ...QEMU)) return
  const work = await scratch(t)
  const size = 60 * 2 ** 40 + 512
  const image = await createByQemu(work, 'disk.qcow2', `${size}`, 'cluster_size=64k')
  const places = [0, 2 ** 32 - 512, 2 ** 41 + 512, 59 * 2 ** 40, size - 4096]
  await qemuIo(image, 'qcow2', ...places.map((place, n) => `write -P ${n + 1} ${place} 4k`))
  const opened = openImage(image)
  const buffer = new IoBuffer(8192)
  t.is(opened.disk.size, size)
  for (const [n, place] of places.entries()) {
    const length = Math.min(8192, size - place)
    opened.disk.read(place, length, buffer, 0)
    t.true(
      buffer.bytes.subarray(0, 4096).every(byte => byte === n + 1),
      `${place}`,
    )
    t.true(
      buffer.bytes.subarray(4096, length).every(byte => byte === 0),
      `${place}`,
    )
  }
  opened.disk.read(2 ** 45, 8192, buffer, 0)
  t.true(buffer.bytes.every(byte => byte === 0))
  opened.close()
})

test('what this driver does not read is refused by name, as QEMU makes it', async t => {
  if (lacks(t, ...QEMU)) return
  const work = await scratch(t)
  const refused = async (name: string, options: string, message: RegExp, ...more: string[]) => {
    const image = work.join(name)
    await succeed('qemu-img', 'create', '-q', '-f', 'qcow2', ...more, '-o', options, image, '1M')
    t.throws(() => openImage(image), { code: 'FORMAT_UNSUPPORTED', message }, name)
  }
  const secret = ['--object', 'secret,id=key,data=12345678']
  await refused('zstd.qcow2', 'compression_type=zstd', /uses zstd compression/)
  await refused('external.qcow2', `data_file=${work.join('data')}`, /external data file/)
  await refused('extended.qcow2', 'extended_l2=on', /extended L2 entries/)
  // LUKS is in header.test.ts: qemu-img measures the processor to make one, and now and then fails at it.
  await refused('aes.qcow2', 'encrypt.format=aes,encrypt.key-secret=key', /encrypted \(AES\)/, ...secret)
})

test('an image is not opened for writing, and is not changed by the attempt', async t => {
  if (lacks(t, ...QEMU)) return
  const work = await scratch(t)
  const image = await createByQemu(work, 'disk.qcow2', '1M')
  const before = await readFile(image)
  t.throws(() => openImage(image, { writable: true }), {
    code: 'READ_ONLY',
    message:
      /qcow2 images are opened read-only; mount with -r, or put an image over it: rawmount create -f qed -b /,
  })
  t.true((await readFile(image)).equals(before))
})

test('an image that was cut off is an error where it is cut, or at once', async t => {
  if (lacks(t, ...QEMU)) return
  const work = await scratch(t)
  const image = await createByQemu(work, 'disk.qcow2', '8M')
  await qemuIo(image, 'qcow2', 'write -P 1 0 8M')
  await truncate(image, 4 * MiB)
  t.throws(() => bytesByRawmount(image), { code: 'CORRUPT', message: /L2 table entry points nowhere/ })
  const opened = openImage(image)
  const buffer = new IoBuffer(4096)
  opened.disk.read(0, 4096, buffer, 0)
  t.true(buffer.bytes.every(byte => byte === 1))
  opened.close()
  await truncate(image, 100)
  t.throws(() => openImage(image), { code: 'CORRUPT', message: /ends within/ })
})

test('writes go over a qcow2 base into the image above, and the base stays as it is', async t => {
  if (lacks(t, ...QEMU)) return
  const work = await scratch(t)
  const random = seeded(t)
  const raw = await mixedRaw(work, random, 4 * MiB)
  const base = work.join('base.qcow2')
  await succeed('qemu-img', 'convert', '-c', '-f', 'raw', '-O', 'qcow2', raw, base)
  await qemuIo(base, 'qcow2', 'write -P 7 1M 100k', 'write -z 2M 128k')
  const expected = await bytesByQemu(base, 'qcow2')
  const before = await readFile(base)
  const image = await work.create('top.qed', '-b', 'base.qcow2', '-F', 'qcow2')
  const opened = openImage(image, { writable: true })
  const buffer = new IoBuffer(100 * KiB)
  for (let count = 1; count <= 60; count++) {
    const offset = random.below(expected.length)
    const length = random.between(1, Math.min(buffer.length, expected.length - offset))
    buffer.bytes.fill(count, 0, length)
    expected.fill(count, offset, offset + length)
    opened.disk.write(offset, length, buffer, 0)
  }
  opened.close()
  t.true(bytesByRawmount(image).equals(expected))
  t.true((await bytesByQemu(image, 'qed')).equals(expected))
  t.true((await readFile(base)).equals(before))
})

test('a compressed image shows the same through a mount, to several readers at a time', async t => {
  if (lacks(t, 'root', ...QEMU)) return
  const work = await scratch(t)
  const raw = await mixedRaw(work, seeded(t), 6 * MiB + 512)
  const image = work.join('disk.qcow2')
  await succeed('qemu-img', 'convert', '-c', '-f', 'raw', '-O', 'qcow2', raw, image)
  await qemuIo(image, 'qcow2', 'write -P 7 1M 100k', 'write -z 2M 128k')
  const expected = await bytesByQemu(image, 'qcow2')
  const mounted = await work.mount(image, '-r', '--threads', '3')
  const seen = await Promise.all([1, 2, 3].map(() => readFile(mounted.disk)))
  t.true(seen.every(bytes => bytes.equals(expected)))
  await mounted.unmount()
})

test('a mount without -r is refused with the ways that there are', async t => {
  if (lacks(t, ...QEMU)) return
  const work = await scratch(t)
  const image = await createByQemu(work, 'disk.qcow2', '1M')
  const { code, stderr } = await work.rawmount('mount', image, await work.directory('mnt'))
  t.not(code, 0)
  t.regex(stderr, /^rawmount: .*disk\.qcow2: qcow2 images are opened read-only; mount with -r, or [^\n]*\n$/)
})
