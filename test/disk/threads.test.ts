import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import test, { type ExecutionContext } from 'ava'
import { checkImage } from '../../src/disk/check.js'
import { createImage } from '../../src/disk/create.js'
import type { WorkerOrder, WrittenSector } from '../support/disk-worker.js'
import { difference } from '../support/model-disk.js'
import { fillPattern, pattern, SECTOR } from '../support/pattern.js'
import { type Random, seeded } from '../support/random.js'
import { TestDisk } from '../support/test-disk.js'

const WRITERS = 4
const MIB = 1 << 20

interface Stress {
  readonly size: number
  readonly clusterSize: number
  readonly base: boolean
  readonly metadataCache?: number
  readonly rounds: number
  readonly readsPerRound: number
  /** FVD with these options of create, in place of QED; `clusterSize` is then only where writers meet. */
  readonly fvd?: Readonly<Record<string, string>>
}

const STRESSES: Record<string, Stress> = {
  'over a base': { size: 4 * MIB + SECTOR, clusterSize: 4096, base: true, rounds: 1500, readsPerRound: 1 },
  'without a base': { size: 4 * MIB, clusterSize: 4096, base: false, rounds: 1500, readsPerRound: 1 },
  'over a base, with 64 KiB clusters': {
    size: 16 * MIB,
    clusterSize: 65536,
    base: true,
    rounds: 400,
    readsPerRound: 1,
  },
  'with many tables and a tiny cache': {
    size: 128 * MIB,
    clusterSize: 4096,
    base: true,
    metadataCache: 1,
    rounds: 600,
    // Each finds the table of its cluster gone: readers race with whoever takes their slot of the cache.
    readsPerRound: 60,
  },
  'in a flat FVD image over a base': {
    size: 4 * MIB + SECTOR,
    clusterSize: 8192,
    base: true,
    rounds: 900,
    readsPerRound: 1,
    fvd: { block_size: '7680', journal_size: '65536' },
  },
  'in a compact FVD image': {
    size: 4 * MIB,
    clusterSize: 12288,
    base: false,
    rounds: 900,
    readsPerRound: 1,
    fvd: { compact_image: 'on', chunk_size: '12288', storage_grow_unit: '49152', journal_size: '4096' },
  },
  'in a compact FVD image over a base, blocks across chunks': {
    size: 4 * MIB + SECTOR,
    clusterSize: 16384,
    base: true,
    rounds: 900,
    readsPerRound: 1,
    fvd: { compact_image: 'on', chunk_size: '4096', block_size: '7680', journal_size: '65536' },
  },
}

for (const [name, stress] of Object.entries(STRESSES)) {
  test.serial(
    `writers in ${WRITERS} threads on the same clusters lose nothing of each other, ${name}`,
    async t => {
      const random = seeded(t)
      const directory = mkdtempSync(join(tmpdir(), 'rawmount-threads-'))
      try {
        await run(t, stress, random, join(directory, 'image'), join(directory, 'base'))
      } finally {
        rmSync(directory, { recursive: true })
      }
    },
  )
}

async function run(
  t: ExecutionContext,
  stress: Stress,
  random: Random,
  path: string,
  base: string,
): Promise<void> {
  const { size, clusterSize, metadataCache, fvd } = stress
  const format = fvd === undefined ? 'qed' : 'fvd'
  const expected = stress.base ? makeBase(base, size) : new Uint8Array(size)
  createImage(path, {
    format,
    size,
    // QEMU does not open tables of one cluster.
    options: new Map(Object.entries(fvd ?? { cluster_size: `${clusterSize}`, table_size: '2' })),
    backing: stress.base ? { name: 'base', format: 'raw' } : null,
  })
  const clusters = Math.ceil(size / clusterSize)
  // Most rounds on a cluster that no round had before: that is where writers race to allocate.
  const fresh = shuffle(random, clusters)
  const rounds = Array.from({ length: stress.rounds }, (_, n) =>
    n < fresh.length && random.chance(0.8) ? fresh[n] : random.below(clusters),
  )
  const disk = TestDisk.open(path, { format, writable: true, ...(metadataCache && { metadataCache }) })
  try {
    const order = {
      disk: disk.image.disk.describe(),
      writers: WRITERS,
      rounds,
      clusterSize,
      readsPerRound: stress.readsPerRound,
      seed: random.word(),
    }
    for (const { sector, version } of await runWorkers(order)) {
      const bytes = expected.subarray(sector * SECTOR, (sector + 1) * SECTOR)
      if (version === 0) bytes.fill(0)
      else fillPattern(bytes, sector * SECTOR, version, 0)
    }
    mustBeEqual(t, 'in the opener’s own thread', expected, disk)
    disk.close()
  } finally {
    // A writer that died may hold a lock for ever, on which a close would wait.
    disk.drop()
  }
  const again = TestDisk.open(path, { format })
  mustBeEqual(t, 'after opening it again', expected, again)
  again.close()
  t.is(checkImage(path).report!.corruptions, 0)
  if (format === 'qed') mustSatisfyQemu(t, path)
}

function mustBeEqual(t: ExecutionContext, when: string, expected: Uint8Array, disk: TestDisk): void {
  const wrong = difference(expected, disk.read(0, expected.length), 0)
  if (wrong === null) t.pass()
  else t.fail(`${when}: ${wrong}`)
}

function makeBase(path: string, size: number): Uint8Array {
  createImage(path, { format: 'raw', size })
  const contents = pattern(0, size, 1, 1)
  const disk = TestDisk.open(path, { format: 'raw', writable: true })
  disk.write(0, contents)
  disk.close()
  return contents
}

/** What all writers wrote. When one dies the others are ended, and its error is thrown. */
async function runWorkers(order: Omit<WorkerOrder, 'writer' | 'meeting'>): Promise<WrittenSector[]> {
  const meeting = new SharedArrayBuffer(16)
  const workers: Worker[] = []
  try {
    const results = Array.from({ length: WRITERS + 1 }, (_, n) => {
      const workerData: WorkerOrder = { ...order, writer: n - 1, meeting }
      const worker = new Worker(new URL('../support/disk-worker.js', import.meta.url), { workerData })
      workers.push(worker)
      return new Promise<WrittenSector[]>((resolve, reject) => {
        worker.once('message', resolve)
        worker.once('error', reject)
        worker.once('exit', code => reject(new Error(`a worker ended with ${code}`)))
      })
    })
    return (await Promise.all(results)).flat()
  } finally {
    await Promise.all(workers.map(worker => worker.terminate()))
  }
}

function mustSatisfyQemu(t: ExecutionContext, path: string): void {
  if (spawnSync('qemu-img', ['--version']).error !== undefined) {
    if (process.env.CI) t.fail('qemu-img is missing; install qemu-utils')
    else t.log('qemu-img is missing: QEMU did not check the image; install qemu-utils')
    return
  }
  t.notThrows(() => execFileSync('qemu-img', ['check', '-f', 'qed', path], { stdio: 'pipe' }))
}

function shuffle(random: Random, count: number): number[] {
  const order = Array.from({ length: count }, (_, n) => n)
  for (let n = count - 1; n > 0; n--) {
    const other = random.below(n + 1)
    ;[order[n], order[other]] = [order[other], order[n]]
  }
  return order
}
