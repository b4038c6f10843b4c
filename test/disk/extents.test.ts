import test from 'ava'
import { qedSpec, rawSpec } from '../support/geometries.js'
import { buildImage, type ImageSpec, openBuilt } from '../support/image-chain.js'
import { Random } from '../support/random.js'
import { SimulatedStorage } from '../support/simulated-storage.js'
import type { TestDisk } from '../support/test-disk.js'

const CLUSTER = 4096

function open(spec: ImageSpec) {
  const storage = new SimulatedStorage()
  const built = buildImage(storage, spec, new Random(1))
  return { storage, built, disk: openBuilt(storage, built, true) }
}

/** "data 8192", "hole 4096", "zero 512", each with the layer that decides; neighbours joined. */
function words(disk: TestDisk): string[] {
  const runs: { kind: string; length: number }[] = []
  for (const { data, hole, present, depth, length } of disk.extents(0, disk.size)) {
    const kind = `${hole ? 'hole' : data ? 'data' : present ? 'zero' : 'nothing'} in ${depth}`
    if (runs.at(-1)?.kind === kind) runs.at(-1)!.length += length
    else runs.push({ kind, length })
  }
  return runs.map(({ kind, length }) => `${length} ${kind}`)
}

test('a hole of a raw image is told from its data', t => {
  const { disk } = open(rawSpec(16 * CLUSTER))
  disk.write(2 * CLUSTER, new Uint8Array(CLUSTER).fill(1))
  t.deepEqual(words(disk), [`${2 * CLUSTER} hole in 0`, `${CLUSTER} data in 0`, `${13 * CLUSTER} hole in 0`])
  disk.close()
})

test('an extent names the layer that decides, and where in its file the bytes are', t => {
  const { storage, built, disk } = open(
    qedSpec(10 * CLUSTER, CLUSTER, 1, { backing: qedSpec(8 * CLUSTER, CLUSTER, 1) }),
  )
  storage.forget()
  disk.write(CLUSTER, new Uint8Array(2 * CLUSTER).fill(9))
  const [extent] = disk.extents(CLUSTER, CLUSTER)
  t.like(extent, { data: true, present: true, depth: 0, hole: false, length: CLUSTER })
  t.true(
    storage
      .contents(built.path)
      .bytes(extent.fileOffset, CLUSTER)
      .every(byte => byte === 9),
  )
  t.deepEqual(
    disk.extents(8 * CLUSTER, 2 * CLUSTER).map(({ data }) => data),
    [false],
  )
  disk.close()
})

test('zero clusters are present zeros, and what no image has is absent', t => {
  const { disk } = open(qedSpec(10 * CLUSTER, CLUSTER, 1, { backing: rawSpec(4 * CLUSTER) }))
  disk.zero(0, 3 * CLUSTER)
  disk.write(6 * CLUSTER, new Uint8Array(CLUSTER).fill(1))
  const extents = disk.extents(0, 10 * CLUSTER)
  const at = (offset: number) => extents.find(extent => offset < extent.offset + extent.length)!
  for (const cluster of [0, 1, 2]) t.like(at(cluster * CLUSTER), { data: false, present: true })
  t.like(at(3 * CLUSTER), { depth: 1, present: true })
  t.like(at(6 * CLUSTER), { depth: 0, data: true })
  t.like(at(9 * CLUSTER), { data: false })
  disk.close()
})

test('to ask for extents reads no guest data', t => {
  const { storage, disk } = open(qedSpec(10 * CLUSTER, CLUSTER, 1, { backing: rawSpec(10 * CLUSTER) }))
  storage.forget()
  disk.extents(0, disk.size)
  t.deepEqual(
    storage.calls.filter(({ kind, path }) => kind !== 'read' || path.endsWith('base1')),
    [],
  )
  disk.close()
})
