import test from 'ava'
import fc from 'fast-check'
import { readPartitionTable } from '../../src/partitions/read-table.js'
import { type DiskBytes, MAX_PARTITIONS, MAX_WARNINGS } from '../../src/partitions/table.js'
import { holds } from '../support/properties.js'
import { seeded } from '../support/random.js'
import { bootRecord, diskInMemory, gptHeader, MiB } from './support/disks.js'

const SIZE = 64 * MiB
const SECTORS = SIZE / 512
const TYPE = Buffer.from('af3dc60f838472478e793d69d8477de4', 'hex')

/** A GPT by hand: partitions as number, first, last sector. */
function gpt(
  partitions: readonly (readonly [number, number, number])[],
  { sectorSize = 512, count = 128, entrySize = 128, size = SIZE, change = (_: Buffer) => {} } = {},
): Record<'mbr' | 'primary' | 'entries' | 'backup' | 'backupEntries', readonly [number, Buffer]> {
  const entries = Buffer.alloc(count * entrySize)
  for (const [number, first, last] of partitions) {
    const at = (number - 1) * entrySize
    TYPE.copy(entries, at)
    entries[at + 16] = number
    entries.writeBigUInt64LE(BigInt(first), at + 32)
    entries.writeBigUInt64LE(BigInt(last), at + 40)
    entries.write(`part ${number}`, at + 56, 'utf16le')
  }
  const taken = Math.ceil(entries.length / sectorSize)
  const end = Math.floor(size / sectorSize) - 1
  const header = (own: number, other: number, at: number): Buffer =>
    gptHeader(Buffer.alloc(sectorSize), bytes => {
      bytes.write('EFI PART', 'latin1')
      bytes.writeUInt32LE(0x10000, 8)
      bytes.writeUInt32LE(92, 12)
      bytes.writeBigUInt64LE(BigInt(own), 24)
      bytes.writeBigUInt64LE(BigInt(other), 32)
      bytes.writeBigUInt64LE(BigInt(2 + taken), 40)
      bytes.writeBigUInt64LE(BigInt(end - taken - 1), 48)
      bytes.writeBigUInt64LE(BigInt(at), 72)
      bytes.writeUInt32LE(count, 80)
      bytes.writeUInt32LE(entrySize, 84)
      bytes.writeUInt32LE(crc(entries), 88)
      change(bytes)
    })
  return {
    mbr: [0, Buffer.from(bootRecord([0, 0xee, 1, SECTORS - 1]))],
    primary: [sectorSize, header(1, end, 2)],
    entries: [2 * sectorSize, entries],
    backup: [end * sectorSize, header(end, 1, end - taken)],
    backupEntries: [(end - taken) * sectorSize, entries],
  }
}

function crc(bytes: Buffer): number {
  let value = 0xffff_ffff
  for (const byte of bytes) {
    value ^= byte
    for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (0xedb8_8320 & -(value & 1))
  }
  return (value ^ 0xffff_ffff) >>> 0
}

function numbers(disk: DiskBytes): number[] {
  return readPartitionTable(disk).partitions.map(({ number }) => number)
}

test('a disk of zeros, one without a table, and one too small for any, have none', t => {
  for (const disk of [
    diskInMemory(SIZE, []),
    diskInMemory(SIZE, [[0, Buffer.alloc(8192, 'text')]]),
    diskInMemory(511, []),
    diskInMemory(0, []),
  ]) {
    t.like(readPartitionTable(disk), { scheme: 'none', partitions: [], warnings: [] })
  }
})

test('a sector with the magic and a flag that no MBR has is none', t => {
  const entries = [
    [0x80, 0x83, 2048, 2048],
    [0x7f, 0x83, 4096, 2048],
  ] as const
  t.is(readPartitionTable(diskInMemory(SIZE, [[0, bootRecord(entries[0])]])).scheme, 'mbr')
  t.is(readPartitionTable(diskInMemory(SIZE, [[0, bootRecord(...entries)]])).scheme, 'none')
})

test('a partition beyond the end of the disk, or across it, is left out', t => {
  const table = readPartitionTable(
    diskInMemory(SIZE, [
      [
        0,
        bootRecord(
          [0, 0x83, 2048, 2048],
          [0, 0x83, SECTORS - 2048, 2049],
          [0, 0x83, SECTORS, 1],
          [0, 0x83, SECTORS - 2048, 2048],
        ),
      ],
    ]),
  )
  t.deepEqual(
    table.partitions.map(({ number }) => number),
    [1, 4],
  )
  t.deepEqual(table.warnings, [
    'partition 2 reaches beyond the end of the disk; it is not shown',
    'partition 3 reaches beyond the end of the disk; it is not shown',
  ])
})

test('partitions that overlap are shown, and both are named', t => {
  const table = readPartitionTable(
    diskInMemory(SIZE, [
      [0, bootRecord([0, 0x83, 2048, 4096], [0, 0x83, 10_000, 100], [0, 0x83, 4096, 4096])],
    ]),
  )
  t.deepEqual(
    table.partitions.map(({ number }) => number),
    [1, 2, 3],
  )
  t.deepEqual(table.warnings, ['partitions 1 and 3 overlap'])
})

test('a primary partition within the extended one is an overlap, a logical one is not', t => {
  const table = readPartitionTable(
    diskInMemory(SIZE, [
      [0, bootRecord([0, 0x83, 8192, 2048], [0, 5, 2048, 20_000])],
      [2048 * 512, bootRecord([0, 0x83, 2048, 2048])],
    ]),
  )
  t.deepEqual(
    table.partitions.map(({ number }) => number),
    [1, 2, 5],
  )
  t.deepEqual(table.warnings, ['partitions 1 and 2 overlap'])
})

test('a chain of extended partitions that is a circle ends, and is named', t => {
  const link = (next: number): Uint8Array => bootRecord([0, 0x83, 64, 64], [0, 5, next, 512])
  const disk = diskInMemory(SIZE, [
    [0, bootRecord([0, 5, 2048, 20_000])],
    [2048 * 512, link(1024)],
    [3072 * 512, link(2048)],
    [4096 * 512, link(1024)],
  ])
  const table = readPartitionTable(disk)
  t.deepEqual(
    table.partitions.map(({ number }) => number),
    [1, 5, 6, 7],
  )
  t.deepEqual(table.warnings, [
    'the chain of extended partition 1 is a circle: it comes back to sector 3072; logical partitions after that are not shown',
  ])
})

test('a chain that leads nowhere ends, and is named', t => {
  const chain = (next: number): DiskBytes =>
    diskInMemory(SIZE, [
      [0, bootRecord([0, 0xf, 2048, 20_000])],
      [2048 * 512, bootRecord([0, 0x83, 64, 64], [0, 5, next, 512])],
    ])
  const warning = (next: number): string => readPartitionTable(chain(next)).warnings[0]!
  t.regex(warning(SECTORS), /leaves the disk at sector 133120;/)
  t.regex(warning(4096), /has no boot record in sector 6144;/)
  t.deepEqual(numbers(chain(SECTORS)), [1, 5])
})

test('a chain without an end is followed as far as there are numbers, or a hundred empty links', t => {
  const endless = (used: number): DiskBytes => ({
    size: 2 ** 41,
    read(offset, length) {
      const sector = offset / 512
      const bytes = new Uint8Array(length)
      if (sector === 0) bytes.set(bootRecord([0, 5, 2048, 0x7fff_ffff]))
      else if (sector >= 2048) bytes.set(bootRecord([0, 0x83, 1, used], [0, 5, sector - 2048 + 4, 4]))
      return bytes
    },
  })
  const full = readPartitionTable(endless(1))
  t.is(full.partitions.length, 1 + MAX_PARTITIONS - 4)
  t.is(full.partitions.at(-1)!.number, MAX_PARTITIONS)
  t.regex(full.warnings[0]!, /has more than the 251 partitions that can be numbered/)
  t.regex(readPartitionTable(endless(0)).warnings[0]!, /has more than 100 links without a partition/)
})

test('a GPT of sectors of 4096 bytes is found', t => {
  const parts = gpt(
    [
      [1, 256, 1023],
      [3, 1024, 2047],
    ],
    { sectorSize: 4096 },
  )
  const table = readPartitionTable(diskInMemory(SIZE, Object.values(parts)))
  t.like(table, { scheme: 'gpt', sectorSize: 4096, source: 'primary', warnings: [] })
  t.deepEqual(
    table.partitions.map(({ number, offset, size, name }) => [number, offset, size, name]),
    [
      [1, MiB, 3 * MiB, 'part 1'],
      [3, 4 * MiB, 4 * MiB, 'part 3'],
    ],
  )
  const { primary: _, ...damaged } = parts
  const backup = readPartitionTable(diskInMemory(SIZE, Object.values(damaged)))
  t.like(backup, { sectorSize: 4096, source: 'backup', partitions: table.partitions })
})

test('the backup that a sound header names serves its damaged entries, wherever the disk ends now', t => {
  const parts = gpt([[1, 2048, 4095]])
  const { entries: _, ...damaged } = parts
  const table = readPartitionTable(diskInMemory(2 * SIZE, Object.values(damaged)))
  t.like(table, { scheme: 'gpt', source: 'backup' })
  t.deepEqual(
    table.partitions.map(({ number }) => number),
    [1],
  )
  t.deepEqual(readPartitionTable(diskInMemory(2 * SIZE, Object.values(parts))).warnings, [
    "the backup of the GPT is not at the end of the disk, which may have grown ('sgdisk -e' moves it)",
  ])
})

test('a header with a number that cannot be is refused in words, its checksum right or not', t => {
  const warnings = (change: (header: Buffer) => void): string => {
    const table = readPartitionTable(diskInMemory(SIZE, Object.values(gpt([[1, 2048, 4095]], { change }))))
    t.like(table, { scheme: 'none', partitions: [] })
    return table.warnings.join('\n')
  }
  t.regex(
    warnings(header => header.writeUInt32LE(91, 12)),
    /a header of 91 bytes/,
  )
  t.regex(
    warnings(header => header.writeUInt32LE(0xffff_ffff, 12)),
    /a header of 4294967295 bytes/,
  )
  t.regex(
    warnings(header => header.writeUInt32LE(7, 24)),
    /says that it is in another sector/,
  )
  t.regex(
    warnings(header => header.writeBigUInt64LE(2n ** 63n, 48)),
    /is for a disk of other size/,
  )
  t.regex(
    warnings(header => header.writeUInt32LE(0, 84)),
    /entries of 0 bytes/,
  )
  t.regex(
    warnings(header => header.writeUInt32LE(192, 84)),
    /entries of 192 bytes/,
  )
  t.regex(
    warnings(header => header.writeUInt32LE(0, 80)),
    /has 0 entries/,
  )
  t.regex(
    warnings(header => header.writeUInt32LE(0xffff_ffff, 80)),
    /has 4294967295 entries, at most 8192/,
  )
  t.regex(
    warnings(header => header.writeBigUInt64LE(2n ** 60n, 72)),
    /entries beyond the end of the disk/,
  )
  t.regex(
    warnings(header => header.writeUInt32LE(1, 88)),
    /do not match their checksum/,
  )
})

test('entries of a GPT that end before they begin, or lie beyond the disk, are left out', t => {
  const parts = gpt([
    [1, 4096, 4095],
    [2, 4096, 4094],
    [3, SECTORS, SECTORS + 7],
    [4, 2048, 2048],
  ])
  const table = readPartitionTable(diskInMemory(SIZE, Object.values(parts)))
  t.deepEqual(
    table.partitions.map(({ number, size }) => [number, size]),
    [[4, 512]],
  )
  t.deepEqual(table.warnings, [
    'partition 1 ends before it begins; it is not shown',
    'partition 2 ends before it begins; it is not shown',
    'partition 3 reaches beyond the end of the disk; it is not shown',
  ])
})

test('a GPT with many and large entries is read, up to the highest number that there is', t => {
  const many = Array.from({ length: 300 }, (_, index) => [index + 1, 4096 + index, 4096 + index] as const)
  const parts = gpt(many, { count: 512, entrySize: 256 })
  const table = readPartitionTable(diskInMemory(SIZE, Object.values(parts)))
  t.is(table.partitions.length, MAX_PARTITIONS)
  t.deepEqual(table.warnings, ['partition 256 is not shown, nor are those after it: numbers end at 255'])
})

test('a GPT without a protective MBR is not used, and told of', t => {
  const { mbr: _, ...parts } = gpt([[1, 2048, 4095]])
  t.like(readPartitionTable(diskInMemory(SIZE, Object.values(parts))), {
    scheme: 'none',
    partitions: [],
    warnings: ['there is a GPT, but no protective MBR; it is not used, as Linux would not'],
  })
  const behind = [[0, bootRecord([0, 0xee, 2, 100])], ...Object.values(parts)] as const
  t.regex(readPartitionTable(diskInMemory(SIZE, behind)).warnings[0]!, /neither is used/)
})

test('however many faults there are, the warnings are few', t => {
  const many = Array.from(
    { length: 128 },
    (_, index) => [index + 1, SECTORS + index, SECTORS + index] as const,
  )
  const { warnings } = readPartitionTable(diskInMemory(SIZE, Object.values(gpt(many))))
  t.is(warnings.length, MAX_WARNINGS)
  t.is(warnings.at(-1), 'and 97 more')
})

/** What every table must be, whatever the disk holds. */
function sane(disk: DiskBytes): void {
  const { partitions, warnings, watched } = readPartitionTable(disk)
  if (partitions.length > MAX_PARTITIONS || warnings.length > MAX_WARNINGS) throw new Error('too many')
  for (const { number, offset, size } of partitions) {
    if (number < 1 || number > MAX_PARTITIONS || size <= 0 || offset < 0 || offset + size > disk.size) {
      throw new Error(`partition ${number}: ${size} bytes at ${offset}`)
    }
  }
  if (new Set(partitions.map(({ number }) => number)).size !== partitions.length)
    throw new Error('a number twice')
  let end = -1
  for (const range of watched) {
    if (range.start <= end || range.end > disk.size)
      throw new Error(`watched: ${range.start} to ${range.end}`)
    end = range.end
  }
}

test('random damage of a GPT is survived, with right checksums too', t => {
  const patch = fc.record({
    part: fc.constantFrom('mbr', 'primary', 'entries', 'backup', 'backupEntries'),
    at: fc.nat(511),
    value: fc.oneof(fc.nat(255), fc.constantFrom(0, 255)),
    length: fc.integer({ min: 1, max: 8 }),
  })
  holds(
    t,
    fc.property(fc.array(patch, { minLength: 1, maxLength: 6 }), fc.boolean(), (patches, mended) => {
      const parts = gpt([
        [1, 2048, 4095],
        [2, 4096, 8191],
        [7, 8192, 9000],
      ])
      for (const { part, at, value, length } of patches) {
        parts[part as keyof typeof parts][1].fill(value, at, Math.min(512, at + length))
      }
      if (mended) {
        for (const header of [parts.primary[1], parts.backup[1]]) gptHeader(header, () => {}).copy(header)
      }
      sane(diskInMemory(SIZE, Object.values(parts)))
    }),
  )
})

test('random boot records, wherever they lead, are survived', t => {
  const near = fc.oneof(fc.nat(64), fc.nat(0xffff_ffff), fc.nat(SECTORS))
  const entry = fc.tuple(fc.constantFrom(0, 0x80), fc.constantFrom(0, 5, 0xf, 0x83, 0x85, 0xee), near, near)
  const record = fc.array(entry, { maxLength: 4 })
  holds(
    t,
    fc.property(fc.array(record, { minLength: 1, maxLength: 64 }), records => {
      sane({
        size: SIZE,
        read(offset, length) {
          // Every sector is one of the records: chains go wherever they like.
          const bytes = new Uint8Array(length)
          if (length === 512) bytes.set(bootRecord(...records[(offset / 512) % records.length]!))
          return bytes
        },
      })
    }),
  )
})

test('sectors of noise are survived', t => {
  const random = seeded(t)
  for (let n = 0; n < 2000; n++) {
    const noise = Buffer.from(
      Array.from({ length: 8192 }, () => (random.chance(0.5) ? 0 : random.below(256))),
    )
    noise.writeUInt16LE(0xaa55, 510)
    for (let at = 446; at < 510; at += 16) noise[at] = 0
    if (random.chance(0.5)) noise.write('EFI PART', 512, 'latin1')
    if (random.chance(0.5)) noise.set([0, 0, 0, 0, 0xee, 0, 0, 0, 1, 0, 0, 0], 446)
    t.notThrows(() => sane(diskInMemory(SIZE, [[0, noise]])))
  }
})
