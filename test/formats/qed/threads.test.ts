import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import { Mapping, Where, type WritableDriver } from '../../../src/formats/driver.js'
import { qed } from '../../../src/formats/qed/index.js'
import { systemHost } from '../../../src/storage/system-host.js'
import { seeded } from '../../support/random.js'
import type { Job } from './publisher.js'

const WORKERS = 4
const ROUNDS = 4000

test('several threads map, publish and commit at once, with a cache far too small', async t => {
  const { seed } = seeded(t)
  const directory = mkdtempSync(join(tmpdir(), 'rawmount-qed-threads-'))
  const file = systemHost.create(join(directory, 'disk.qed'), false)
  try {
    const options = new Map([
      ['cluster_size', '4k'],
      ['table_size', '1'],
    ])
    // 128 slices, 16 slots.
    qed.create(file, { size: 256 << 20, backing: null, options })
    const image = qed.open(file, { writable: true, metadataCache: 1 })
    const commitLock = new SharedArrayBuffer(4)
    const threads = Array.from({ length: WORKERS }, (_, worker) => {
      const workerData: Job = {
        file: file.describe(),
        description: image.describe(),
        commitLock,
        worker,
        workers: WORKERS,
        rounds: ROUNDS,
        seed: seed + worker,
      }
      return new Worker(new URL('./publisher.js', import.meta.url), { workerData })
    })
    const results = await Promise.all(threads.map(thread => once(thread, 'message')))
    t.deepEqual(
      results,
      threads.map(() => [null]),
    )

    const driver = image.driver as WritableDriver
    driver.finish()
    const report = qed.check!(file, 'none')
    t.deepEqual(report.findings, [])
    t.true(report.allocatedClusters > 1000)
    // What the file says is what the shared memory said.
    const reader = qed.open(file, { writable: false, metadataCache: 1 << 20 }).driver
    const [ours, theirs] = [new Mapping(), new Mapping()]
    for (let offset = 0; offset < driver.size; offset += ours.length) {
      driver.map(offset, driver.size, ours)
      reader.map(offset, driver.size, theirs)
      const same = ours.where === theirs.where && ours.length === theirs.length
      if (!same || (ours.where === Where.data && ours.offset !== theirs.offset))
        t.fail(`differs at ${offset}`)
    }
  } finally {
    file.close()
    rmSync(directory, { recursive: true })
  }
})
