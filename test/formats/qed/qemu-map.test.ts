import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { Mapping, Where } from '../../../src/formats/driver.js'
import { qed } from '../../../src/formats/qed/index.js'
import { systemHost } from '../../../src/storage/system-host.js'
import { lacks } from '../../support/tools.js'

interface Extent {
  start: number
  length: number
  zero: boolean
  data: boolean
  depth: number
  offset?: number
}

const SCRIPT = [
  'write -P 1 0 64k',
  'write -P 2 100k 300k',
  'write -z 1M 512k',
  'write -P 3 3M 1M',
  'discard 3M 256k',
  'write -P 4 1100k 4k',
  'write -P 5 39999k 1k',
]

for (const [what, creation] of [
  ['no backing file', []],
  ['a raw backing file', ['-b', 'base.raw', '-F', 'raw']],
] as const) {
  for (const clusterSize of ['4k', '64k']) {
    test(`an image that QEMU wrote maps as QEMU maps it: ${what}, clusters of ${clusterSize}`, t => {
      if (lacks(t, 'qemu-img', 'qemu-io')) return
      const directory = mkdtempSync(join(tmpdir(), 'rawmount-map-'))
      const qemu = (tool: string, ...args: string[]) =>
        execFileSync(tool, args, { cwd: directory, encoding: 'utf8' })
      try {
        qemu('qemu-img', 'create', '-q', '-f', 'raw', 'base.raw', '2M')
        qemu('qemu-io', '-f', 'raw', '-c', 'write -P 9 0 2M', 'base.raw')
        const options = `cluster_size=${clusterSize},table_size=2`
        qemu('qemu-img', 'create', '-q', '-f', 'qed', '-o', options, ...creation, 'x.qed', '40000k')
        qemu('qemu-io', '-f', 'qed', ...SCRIPT.flatMap(command => ['-c', command]), 'x.qed')
        const theirs: Extent[] = JSON.parse(qemu('qemu-img', 'map', '--output', 'json', 'x.qed'))

        const file = systemHost.open(join(directory, 'x.qed'), false)
        const { driver, backing } = qed.open(file, { writable: false, metadataCache: 0 })
        t.deepEqual(backing, creation.length === 0 ? null : { name: 'base.raw', format: 'raw' })
        const run = new Mapping()
        for (const { start, length, zero, data, depth, offset } of theirs) {
          for (let at = start; at < start + length; at += run.length) {
            driver.map(at, start + length - at, run)
            const where =
              depth > 0 || (!data && backing === null && run.where === Where.absent)
                ? Where.absent
                : data
                  ? Where.data
                  : Where.zero
            // Beyond the end of its backing file QEMU calls an absent range a zero one of the image itself.
            if (!(zero && !data && at >= 2 << 20)) t.is(run.where, where, `at ${at}`)
            if (where === Where.data) t.is(run.offset, offset! + at - start, `at ${at}`)
          }
        }
        file.close()
      } finally {
        rmSync(directory, { recursive: true })
      }
    })
  }
}
