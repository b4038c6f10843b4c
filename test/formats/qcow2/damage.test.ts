import test, { type ExecutionContext } from 'ava'
import { openImage } from '../../../src/disk/open.js'
import { ImageError } from '../../../src/errors.js'
import { SystemError } from '../../../src/libc/errno.js'
import { IoBuffer } from '../../../src/libc/io-buffer.js'
import { type Random, seeded } from '../../support/random.js'
import { SimulatedStorage } from '../../support/simulated-storage.js'
import { deflated, TestImage, ZERO } from './images.js'

/** Random damage: whatever the bytes say, an open or a read ends, with data or with an error that says what is wrong. */
const PATH = '/images/damaged.qcow2'
const CLUSTER = 512

/** All kinds of entries, in a file of some 20 KiB whose metadata are a good part of it. */
function makeBytes(version: 2 | 3): Buffer {
  const image = new TestImage({
    version,
    clusterBits: 9,
    size: 128 << 10,
    data: 24,
    extensions: [
      [0xe2792aca, Buffer.from('raw')],
      [0x6803f857, Buffer.alloc(96, 5)],
    ],
  })
  for (let n = 0; n < 12; n++) image.setEntry(3 * n, BigInt(image.dataAt(n)))
  for (let n = 0; n < 6; n++) {
    const stream = deflated(Buffer.alloc(CLUSTER, n))
    const at = image.dataAt(14) + 100 * n
    image.putBytes(at, stream)
    image.setEntry(64 + n, image.compressed(at, stream.length))
  }
  if (version === 3) for (let n = 100; n < 120; n++) image.setEntry(n, ZERO)
  return Buffer.from(image.storage.contents(image.file.path).bytes())
}

/** Bytes, bits, words with a meaning, a copy of one entry over another, or the end cut off. */
function damage(bytes: Buffer, random: Random): Buffer {
  // The header, the L1 table, L2 tables: what decides. Sometimes anywhere.
  const reach = random.pick([120, 2 * CLUSTER, 6 * CLUSTER, bytes.length])
  for (let count = random.between(1, 4); count > 0; count--) {
    const at = random.below(reach - 8)
    switch (random.below(6)) {
      case 0:
        bytes[at] = random.below(256)
        break
      case 1:
        bytes[at]! ^= 1 << random.below(8)
        break
      case 2:
        bytes.writeUInt32BE(
          random.pick([0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, random.word()]),
          at & ~3,
        )
        break
      case 3:
        bytes.writeUInt32BE(random.pick([0, 0x4000_0000, 0xc000_0000, 0x7fff_ffff, 0xffff_ffff]), at & ~7)
        break
      case 4:
        bytes.copy(bytes, at & ~7, CLUSTER, CLUSTER + 8)
        break
      default:
        return bytes.subarray(0, random.below(bytes.length))
    }
  }
  return bytes
}

const buffer = new IoBuffer(64 << 10)

/** What goes through the whole disk can be read in a moment; of a larger one, some of it is. */
function readAbout(path: string, host: SimulatedStorage, random: Random): void {
  const image = openImage(path, { host, format: 'qcow2', backing: 'deny' })
  try {
    const { disk } = image
    for (let count = 0; count < 40 && disk.size > 0; count++) {
      const offset = disk.size <= 1 << 20 ? (count * 4096) % disk.size : random.below(disk.size)
      const length = Math.min(disk.size - offset, random.between(1, 8192))
      try {
        disk.read(offset, length, buffer, 0)
      } catch (error) {
        if (!isExpected(error)) throw error
      }
    }
  } finally {
    image.close()
  }
}

function isExpected(error: unknown): error is Error {
  return error instanceof ImageError || error instanceof SystemError
}

function campaign(t: ExecutionContext, version: 2 | 3, rounds: number): void {
  const random = seeded(t)
  const sound = makeBytes(version)
  let opened = 0
  for (let round = 0; round < rounds; round++) {
    const host = new SimulatedStorage()
    host.addFile(PATH, damage(Buffer.from(sound), random))
    const before = process.memoryUsage()
    try {
      readAbout(PATH, host, random)
      opened++
    } catch (error) {
      if (!isExpected(error)) throw error
      if (error.message.includes('\n')) t.fail(`round ${round}: ${error.message}`)
    }
    if (host.record.length > 0) t.fail(`round ${round}: the file was changed`)
    const grown = process.memoryUsage().arrayBuffers - before.arrayBuffers
    if (grown > 96 << 20) t.fail(`round ${round}: ${grown} bytes were allocated`)
    t.deepEqual(host.leftOpen(), [])
  }
  t.log(`${opened} of ${rounds} opened`)
  t.true(opened > rounds / 20 && opened < rounds, 'damage that is neither always nor never refused at once')
}

for (const version of [2, 3] as const) {
  test(`an image of version ${version} with any damage opens or is refused, and never more than that`, t => {
    campaign(t, version, 1500)
  })
}
