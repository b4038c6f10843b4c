import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import type { BackingReference, CreateOptions } from '../../../src/formats/format.js'
import { qed } from '../../../src/formats/qed/index.js'
import { systemHost } from '../../../src/storage/system-host.js'
import { SimulatedStorage } from '../../support/simulated-storage.js'
import { lacks } from '../../support/tools.js'

type Settings = Pick<CreateOptions, 'size' | 'backing' | 'options'>

function settings(
  size: number,
  options: Record<string, string> = {},
  backing: BackingReference | null = null,
): Settings {
  return { size, backing, options: new Map(Object.entries(options)) }
}

const REFUSED: [string, Settings, RegExp][] = [
  [
    'a misspelt option',
    settings(512, { clustersize: '64k' }),
    /no option "clustersize", only cluster_size, table_size/,
  ],
  [
    'a cluster size of 2K',
    settings(512, { cluster_size: '2K' }),
    /cluster_size 2048 is not a power of two from 4K/,
  ],
  ['a cluster size of 128M', settings(512, { cluster_size: '128M' }), /cluster_size 134217728/],
  ['a cluster size of 5000', settings(512, { cluster_size: '5000' }), /cluster_size 5000/],
  [
    'a cluster size of words',
    settings(512, { cluster_size: 'large' }),
    /cluster_size: "large" is not a size/,
  ],
  ['a table size of 0', settings(512, { table_size: '0' }), /table_size 0/],
  ['a table size of 3', settings(512, { table_size: '3' }), /table_size 3/],
  ['a table size of 32', settings(512, { table_size: '32' }), /table_size 32/],
  ['a size beside the sectors', settings(1000), /1000 is not a multiple of 512; take 1024/],
  ['a negative size', settings(-512), /-512 is impossible/],
  ['a size of NaN', settings(Number.NaN), /impossible/],
  [
    'a size beyond the tables',
    settings(2 ** 31, { cluster_size: '4k', table_size: '1' }),
    /more than the 1073741824 bytes/,
  ],
  [
    'a long backing name',
    settings(512, {}, { name: 'ü'.repeat(512), format: null }),
    /1024 bytes, more than 1023/,
  ],
  ['an empty backing name', settings(512, {}, { name: '', format: null }), /empty/],
  ['a backing name with NUL', settings(512, {}, { name: 'a\0b', format: null }), /NUL/],
]

for (const [what, options, message] of REFUSED) {
  test(`${what} is refused, and the file not touched`, t => {
    const storage = new SimulatedStorage()
    const file = storage.create('/x', false)
    t.throws(() => qed.create(file, options), { code: 'INVALID', message })
    t.deepEqual(storage.record, [])
  })
}

test('a file that had contents is an empty image afterwards', t => {
  const storage = new SimulatedStorage()
  storage.addFile('/x', new Uint8Array(1 << 20).fill(0xff))
  const file = storage.open('/x', true)
  qed.create(file, settings(1 << 30))
  t.is(file.size(), 5 * 65536)
  t.deepEqual(qed.check!(file, 'none').findings, [])
})

test('the smallest, the largest and every geometry between opens, here and with QEMU', t => {
  if (lacks(t, 'qemu-img')) return
  const directory = mkdtempSync(join(tmpdir(), 'rawmount-create-'))
  try {
    for (const clusterSize of [4096, 65536, 1 << 20, 64 << 20]) {
      for (const tableSize of [1, 2, 16]) {
        const entries = (clusterSize * tableSize) / 8
        const largest = Math.min(entries * entries * clusterSize, 2 ** 53 - 512)
        for (const size of [0, 512, largest]) {
          const path = join(directory, 'x.qed')
          const file = systemHost.create(path, true)
          const options = { cluster_size: `${clusterSize}`, table_size: `${tableSize}` }
          qed.create(file, settings(size, options))
          t.is(qed.open(file, { writable: false, metadataCache: 0 }).driver.size, size)
          file.close()
          // QEMU refuses tables of one cluster, and its limit overflows 64 bits for the largest geometries.
          if (tableSize === 1 || entries * entries * clusterSize >= 2 ** 64) continue
          const info = spawnSync('qemu-img', ['info', '--output', 'json', path], { encoding: 'utf8' })
          t.is(info.status, 0, info.stderr)
          t.is(JSON.parse(info.stdout)['virtual-size'], size)
        }
      }
    }
  } finally {
    rmSync(directory, { recursive: true })
  }
})

test('QEMU reads the backing file name of 1023 bytes that was given', t => {
  if (lacks(t, 'qemu-img')) return
  const directory = mkdtempSync(join(tmpdir(), 'rawmount-create-'))
  try {
    const path = join(directory, 'x.qed')
    const name = `${'n/'.repeat(511)}b`
    const file = systemHost.create(path, false)
    qed.create(file, settings(1 << 20, {}, { name, format: 'raw' }))
    file.close()
    const info = JSON.parse(
      execFileSync('qemu-img', ['info', '--output', 'json', path], { encoding: 'utf8' }),
    )
    t.is(info['backing-filename'], name)
    t.is(info['backing-filename-format'], 'raw')
  } finally {
    rmSync(directory, { recursive: true })
  }
})
