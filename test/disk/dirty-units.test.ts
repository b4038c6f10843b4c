import test from 'ava'
import { DirtyUnits } from '../../src/disk/dirty-units.js'
import { seeded } from '../support/random.js'

function units(size: number): DirtyUnits {
  return new DirtyUnits(DirtyUnits.allocate(size), size)
}

/** The units of the taken set, as who copies them goes through them. */
function takenOf(dirty: DirtyUnits, size: number): number[] {
  const found: number[] = []
  for (let from = dirty.nextTaken(0, size); from >= 0; ) {
    const to = dirty.takenEnd(from, size)
    for (let unit = from / dirty.unit; unit * dirty.unit < to; unit++) found.push(unit)
    from = dirty.nextTaken(to, size)
  }
  return found
}

test('what is marked is taken, unit by unit, and what is marked later is not', t => {
  const random = seeded(t)
  const size = 4096 * 321 - 7
  const dirty = units(size)
  let kept: Set<number> = new Set()
  for (let round = 0; round < 60; round++) {
    const marked = new Set<number>()
    for (let n = random.below(20); n > 0; n--) {
      const start = random.below(size)
      const end = start + 1 + random.below(Math.min(size - start, 70_000))
      dirty.mark(start, end)
      for (let unit = Math.floor(start / 4096); unit * 4096 < end; unit++) marked.add(unit)
    }
    t.is(dirty.isTaken, kept.size > 0)
    t.is(dirty.isMarked, marked.size > 0)
    t.deepEqual(
      takenOf(dirty, size),
      [...kept].sort((a, b) => a - b),
    )
    t.is(dirty.count(), (kept.size + marked.size) * 4096)
    for (const unit of kept) dirty.clearTaken(unit * 4096, (unit + 1) * 4096)
    t.deepEqual(takenOf(dirty, size), [])
    dirty.takenDone()
    dirty.flip()
    kept = marked
  }
})

test('the taken set is looked through in the range that is asked for', t => {
  const size = 4096 * 100
  const dirty = units(size)
  dirty.mark(4096 * 10, 4096 * 70)
  dirty.flip()
  t.is(dirty.nextTaken(0, size), 4096 * 10)
  t.is(dirty.nextTaken(0, 4096 * 10), -1)
  t.is(dirty.nextTaken(4096 * 64, size), 4096 * 64)
  t.is(dirty.nextTaken(4096 * 70, size), -1)
  t.is(dirty.takenEnd(4096 * 20, 4096 * 33), 4096 * 33)
  t.is(dirty.takenEnd(4096 * 20, size * 2), 4096 * 70)
})

test('units grow with the disk, so that the maps stay within 2 MiB', t => {
  for (const size of [1, 2 ** 30, 2 ** 40, 2 ** 44 + 5, 2 ** 52]) {
    t.true(DirtyUnits.allocate(size).byteLength <= (2 << 20) + 32)
    t.true(Number.isInteger(Math.log2(units(size).unit)))
  }
  t.is(units(2 ** 30).unit, 4096)
})

test('what is marked while the set is being taken is marked in the next one, too', t => {
  const size = 4096 * 64
  for (const flips of [1, 2, 3]) {
    const dirty = units(size)
    const set = Reflect.get(dirty, 'set') as (map: number, start: number, end: number) => void
    let left = flips
    Object.assign(dirty, {
      set(map: number, start: number, end: number) {
        // Others take what there is, just before the bit is set, and clear what they took just after it.
        while (left-- > 0) dirty.flip()
        set.call(dirty, map, start, end)
        if (left === -1) dirty.takenDone()
      },
    })
    dirty.mark(4096 * 5, 4096 * 6)
    t.true(dirty.isMarked, `${flips} flips`)
    dirty.flip()
    t.deepEqual(takenOf(dirty, size), [5])
  }
})
