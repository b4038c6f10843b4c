import test from 'ava'
import fc from 'fast-check'
import { SharedWindow } from '../../src/mount/partition-files/shared-window.js'
import { WatchedRanges } from '../../src/mount/partition-files/watched-ranges.js'
import type { WindowSlot } from '../../src/mount/partition-files/window-slot.js'
import { WindowTable } from '../../src/mount/partition-files/window-table.js'
import { WrittenParts } from '../../src/mount/partition-files/written-parts.js'
import * as atomics from '../../src/shared/atomics.js'
import { holds } from '../support/properties.js'

const MiB = 1024 * 1024
const SIZE = 1024 * MiB
const FIRST = { number: 1, offset: MiB, size: 10 * MiB }
const SECOND = { number: 2, offset: 11 * MiB, size: 20 * MiB }

function table(...places: { number: number; offset: number; size: number }[]): WindowTable {
  const made = new WindowTable(WindowTable.allocate(SIZE, 0))
  made.list(made.version(), places)
  return made
}

function relist(made: WindowTable, ...places: { number: number; offset: number; size: number }[]): void {
  made.changed()
  made.list(made.version(), places)
}

function numbers(slots: readonly WindowSlot[]): number[] {
  return slots.map(({ number }) => number)
}

test('a partition that is where it was keeps its id, one that moved, grew or came back gets another', t => {
  const made = table(FIRST, SECOND)
  const [one, two] = made.listed().map(({ id }) => id)
  relist(made, FIRST, { ...SECOND, size: 21 * MiB })
  t.is(made.listed()[0]!.id, one)
  const grown = made.listed()[1]!.id
  t.not(grown, two)
  relist(made, FIRST, SECOND)
  t.false([two, grown].includes(made.listed()[1]!.id))
})

test('a partition that is gone is remembered where it was, by its id', t => {
  const made = table(FIRST, SECOND)
  const { id } = made.listed()[1]!
  relist(made, FIRST)
  t.deepEqual(numbers(made.listed()), [1])
  t.like(made.find(id), SECOND)
})

test('an id never means another partition, however often the table changes', t => {
  const made = table()
  const seen = new Map<number, number>()
  for (let n = 0; n < 5000; n++) {
    relist(made, { number: 1, offset: n * 512, size: 512 })
    const { id, offset } = made.listed()[0]!
    if (seen.has(id)) t.fail(`${id} a second time`)
    seen.set(id, offset)
  }
  for (const [id, offset] of seen) {
    const found = made.find(id)
    if (found !== null && found.offset !== offset) t.fail(`${id} is at ${found.offset}`)
  }
  t.is(seen.size, 5000)
})

test('what somebody has open is remembered longer than what nobody has', t => {
  const made = table(FIRST)
  const open = made.listed()[0]!
  atomics.add(open.cells().handles, 0, 1)
  const { id } = open
  for (let n = 0; n < 3000; n++) relist(made, { number: 1, offset: n * 512, size: 512 })
  t.like(made.find(id), FIRST)
  // More than there is room for: something is forgotten, and never taken for something else.
  for (let n = 0; n < 3000; n++) {
    relist(made, { number: 1, offset: n * 512, size: 1024 })
    atomics.add(made.listed()[0]!.cells().handles, 0, 1)
  }
  t.is(made.find(id), null)
  t.false(made.isKnown(id))
})

test('255 partitions can all change at once', t => {
  const many = (size: number) =>
    Array.from({ length: 255 }, (_, index) => ({ number: index + 1, offset: index * MiB, size }))
  const made = table(...many(512))
  const before = made.listed()
  relist(made, ...many(1024))
  t.is(made.listed().length, 255)
  t.true(made.listed().every(({ size }) => size === 1024))
  t.true(before.every(({ id, offset }) => made.find(id)?.offset === offset))
})

test('who read an older table does not undo a newer one', t => {
  const made = table()
  made.changed()
  const older = made.version()
  made.changed()
  made.list(made.version(), [FIRST, SECOND])
  made.list(older, [FIRST])
  t.deepEqual(numbers(made.listed()), [1, 2])
})

test('a table whose ranges were not watched while it was read must be read again', t => {
  const made = table()
  const before = made.version()
  t.false(made.watch([{ start: 0, end: 512 }]))
  t.not(made.version(), before)
  const after = made.version()
  t.true(made.watch([{ start: 0, end: 512 }]))
  t.is(made.version(), after)
})

test('a write to what is watched makes the table old, one beside it does not', t => {
  const made = table()
  made.watch([
    { start: 0, end: 4096 },
    { start: 8 * MiB, end: 8 * MiB + 512 },
  ])
  const window = new SharedWindow(made, made.wholeDisk)
  for (const [start, end, hit] of [
    [4096, 8 * MiB, false],
    [8 * MiB + 512, SIZE, false],
    [4095, 4096, true],
    [MiB, 8 * MiB + 1, true],
    [8 * MiB + 511, 9 * MiB, true],
    [0, SIZE, true],
  ] as const) {
    const before = made.version()
    window.wrote(start, end)
    t.is(made.version() !== before, hit, `${start} to ${end}`)
  }
})

test('what overlaps a watched range is found as by looking at each', t => {
  const ranges = fc
    .uniqueArray(fc.nat(1000), { maxLength: 40 })
    .map(borders => borders.sort((a, b) => a - b))
    .map(borders =>
      borders.flatMap((start, i) =>
        i % 2 === 0 && i + 1 < borders.length ? [{ start, end: borders[i + 1]! }] : [],
      ),
    )
  holds(
    t,
    fc.property(ranges, fc.nat(1000), fc.integer({ min: 1, max: 200 }), (watched, start, length) => {
      const made = new WatchedRanges(new SharedArrayBuffer(WatchedRanges.BYTES), 0)
      made.replace(watched)
      const end = start + length
      return made.overlap(start, end) === watched.some(range => range.start < end && start < range.end)
    }),
  )
})

test('more ranges than there is room for are watched all the same', t => {
  const made = new WatchedRanges(new SharedArrayBuffer(WatchedRanges.BYTES), 0)
  made.replace(Array.from({ length: 1000 }, (_, index) => ({ start: index * 10, end: index * 10 + 1 })))
  for (let index = 0; index < 1000; index++) {
    if (!made.overlap(index * 10, index * 10 + 1)) t.fail(`${index}`)
  }
  t.false(made.overlap(5, 6))
})

test('parts that were written cover every byte, and are told once', t => {
  const write = fc.tuple(fc.nat(SIZE - 1), fc.integer({ min: 1, max: 3 * MiB }))
  holds(
    t,
    fc.property(fc.array(write, { maxLength: 20 }), writes => {
      const parts = new WrittenParts(new SharedArrayBuffer(WrittenParts.BYTES), 0, SIZE)
      for (const [start, length] of writes) parts.mark(start, Math.min(SIZE, start + length))
      if (parts.any !== writes.length > 0) return false
      const borders = parts.take()
      const covered = writes.every(([start, length]) =>
        borders.some(
          (from, i) => i % 2 === 0 && from <= start && Math.min(SIZE, start + length) <= borders[i + 1]!,
        ),
      )
      return covered && !parts.any && parts.take().length === 0
    }),
  )
})

/** The windows of the whole disk and of the two partitions, all open. */
function shared(): SharedWindow[] {
  const made = table(FIRST, SECOND)
  const windows = [made.wholeDisk, ...made.listed()].map(slot => new SharedWindow(made, slot))
  for (const window of windows) window.opened()
  return windows
}

test('what is written through the disk is outdated in the partitions that it lies in, counted from their beginnings', t => {
  const [disk, one, two] = shared() as [SharedWindow, SharedWindow, SharedWindow]
  t.false(disk.outdates())
  disk.wrote(10 * MiB, 12 * MiB)
  t.true(disk.outdates())
  t.false(one.outdates())
  const parts = disk.take()
  t.deepEqual(
    parts.map(({ offset, length }) => [offset, length]),
    [
      [9 * MiB, MiB],
      [0, MiB],
    ],
  )
  disk.dropped()
  t.false(disk.outdates())
  two.wrote(12 * MiB, 13 * MiB)
  t.deepEqual(two.take(), [{ file: 'disk.raw', offset: 12 * MiB, length: MiB }])
  two.dropped()
})

test('while others drop what was written, who flushes the same must wait for them', t => {
  const [disk, one] = shared() as [SharedWindow, SharedWindow]
  disk.wrote(10 * MiB, 12 * MiB)
  disk.take()
  t.true(disk.outdates())
  t.true(one.outdates())
  disk.dropped()
  t.false(disk.outdates())
})

test('as long as no partition was opened, nothing is outdated', t => {
  const made = table(FIRST)
  const disk = new SharedWindow(made, made.wholeDisk)
  disk.opened()
  disk.wrote(0, SIZE)
  t.false(disk.outdates())
  new SharedWindow(made, made.listed()[0]!).opened()
  t.false(disk.outdates())
  disk.wrote(2 * MiB, 3 * MiB)
  t.true(disk.outdates())
})

test('a partition that is gone but open sees what is written, too', t => {
  const made = table(FIRST)
  const gone = made.listed()[0]!
  new SharedWindow(made, gone).opened()
  const { id } = gone
  relist(made)
  const disk = new SharedWindow(made, made.wholeDisk)
  disk.wrote(2 * MiB, 3 * MiB)
  t.deepEqual(disk.take(), [{ file: id, offset: MiB, length: MiB }])
  disk.dropped()
})
