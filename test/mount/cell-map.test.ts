import test from 'ava'
import type { Disk } from '../../src/disk/disk.js'
import type { Extent } from '../../src/disk/extents.js'
import { CellMap } from '../../src/mount/status/cell-map.js'
import { until } from '../support/tools.js'

const KiB = 1024

interface Map {
  readonly virtualSize: number
  readonly cellSize: number
  readonly passes: number
  readonly walked: number
  readonly kinds: readonly string[]
  readonly bytes: readonly number[]
  readonly cells: readonly string[]
}

/** A disk of which `at` tells the extents. */
function disk(size: number, at: (offset: number, out: Extent) => void): Disk {
  const nextExtent = (offset: number, length: number, out: Extent) => {
    Object.assign(out, { offset, length, data: false, present: true, depth: 0, hole: false })
    at(offset, out)
    out.length = Math.min(out.length, length)
  }
  return { size, nextExtent } as unknown as Disk
}

const data = (depth: number, length: number) => (_: number, out: Extent) =>
  Object.assign(out, { data: true, depth, length })

test('cells are told by their shares, from none to all, and what there is a little of is not none', t => {
  const some = disk(256 * KiB, (offset, out) => {
    if (offset < 64 * KiB) data(0, 64 * KiB)(offset, out)
    else if (offset < 64 * KiB + 512) data(1, 512)(offset, out)
    else if (offset < 128 * KiB) out.length = 128 * KiB - offset
    else Object.assign(out, { present: false, depth: 2 })
  })
  const map = JSON.parse(new CellMap(CellMap.allocate(2), some, 2).render()) as Map
  t.deepEqual(map, {
    virtualSize: 256 * KiB,
    cellSize: 64 * KiB,
    passes: 1,
    walked: 0,
    kinds: ['image', 'base 1', 'zero', 'unallocated'],
    bytes: [64 * KiB, 512, 64 * KiB - 512, 128 * KiB],
    cells: ['z000', '01z0', '000z', '000z'],
  })
})

test('a huge disk is looked at in many short walks, which all threads go on with, in a text of one length', async t => {
  const fine = disk(2 ** 50, data(0, 2 ** 26))
  const memory = CellMap.allocate(1)
  const threads = [new CellMap(memory, fine, 1, 2 ** 16), new CellMap(memory, fine, 1, 2 ** 16)]
  const texts = new Set<number>()
  let looks = 0
  let known: Map | null = null
  let before = -1
  await until(() => {
    const text = threads[looks % 2]!.render()
    texts.add(text.length)
    known = JSON.parse(text) as Map
    if (known.walked !== before) looks++
    before = known.walked
    return looks >= 4
  })
  t.is(texts.size, 1)
  t.is(known!.cells.length, 1024)
  t.true(known!.bytes[0]! > 0 && known!.bytes[0]! < 2 ** 50)
  // What is known is known of whole cells, from the start on.
  t.regex(known!.cells.join(''), /^(z00)+(000)+$/)
})

test('one thread walks at a time: who comes meanwhile shows what is known', t => {
  const memory = CellMap.allocate(1)
  let shown = ''
  const outer: Disk = disk(64 * KiB, (offset, out) => {
    // As if the base hung, and another thread were asked.
    shown = new CellMap(memory, disk(64 * KiB, data(0, KiB)), 1).render()
    data(0, 64 * KiB)(offset, out)
  })
  const map = JSON.parse(new CellMap(memory, outer, 1).render()) as Map
  t.deepEqual((JSON.parse(shown) as Map).cells, ['000'])
  t.deepEqual(map.cells, ['z00'])
})

test('a cell that cannot be looked at is unknown, and hides no other', t => {
  const failing = disk(192 * KiB, (offset, out) => {
    if (offset >= 64 * KiB && offset < 128 * KiB) throw new Error('the base is gone')
    data(0, 64 * KiB)(offset, out)
  })
  const map = JSON.parse(new CellMap(CellMap.allocate(1), failing, 1).render()) as Map
  t.deepEqual(map.cells, ['z00', '000', 'z00'])
  t.is(map.passes, 1)
})
