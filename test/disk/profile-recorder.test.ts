import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import fc from 'fast-check'
import { ProfileRecorder } from '../../src/disk/profile-recorder.js'
import { holds } from '../support/properties.js'
import type { RecorderTask } from './profile-recorder-worker.js'

const GRAIN = 4096
const MIB = 1024 * 1024

function recorder(baseSize = 64 * MIB, grain = GRAIN): ProfileRecorder {
  return new ProfileRecorder(ProfileRecorder.allocate(baseSize, grain))
}

/** Pairs of first grain and count. */
function grains(profile: ProfileRecorder): [number, number][] {
  return profile.entries().map(({ offset, length }) => [offset / GRAIN, length / GRAIN])
}

function note(profile: ProfileRecorder, ...ranges: [number, number][]): void {
  for (const [first, count] of ranges) profile.note(first * GRAIN, count * GRAIN)
}

test('ranges are kept in the order in which they were first read', t => {
  const profile = recorder()
  note(profile, [10, 2], [3, 1], [100, 5])
  t.deepEqual(grains(profile), [
    [10, 2],
    [3, 1],
    [100, 5],
  ])
})

test('what was read before is not noted again', t => {
  const profile = recorder()
  note(profile, [10, 4], [50, 1], [11, 2], [10, 4], [8, 4])
  t.deepEqual(grains(profile), [
    [10, 4],
    [50, 1],
    [8, 2],
  ])
})

test('a range that goes on where the last ends makes it longer', t => {
  const profile = recorder()
  note(profile, [10, 2], [12, 1], [13, 3])
  t.deepEqual(grains(profile), [[10, 6]])
})

test('readers that take turns have a range each', t => {
  const profile = recorder()
  for (let n = 0; n < 10; n++) note(profile, [n, 1], [1000 + n, 1], [5000 + 2 * n, 2])
  t.deepEqual(grains(profile), [
    [0, 10],
    [1000, 10],
    [5000, 20],
  ])
})

test('a range that goes on where an old one ended is a new one', t => {
  const profile = recorder()
  note(profile, [0, 1])
  for (let n = 1; n <= 8; n++) note(profile, [n * 100, 1])
  note(profile, [1, 1])
  t.deepEqual(grains(profile).at(-1), [1, 1])
})

test('only the last range grows beyond 16 MiB, as growing brings what is read late forward', t => {
  const profile = recorder(256 * MIB)
  note(profile, [0, 4096], [4096, 4096], [40_000, 1], [8192, 1], [8193, 1])
  t.deepEqual(grains(profile), [
    [0, 8192],
    [40_000, 1],
    [8192, 2],
  ])
})

test('parts of a grain are the whole grain, but not beyond the end of the base', t => {
  const profile = recorder(3 * GRAIN + 512)
  profile.note(100, 1)
  profile.note(2 * GRAIN - 1, 2)
  profile.note(3 * GRAIN + 500, 1000)
  t.deepEqual(profile.entries(), [{ offset: 0, length: 3 * GRAIN + 512 }])
})

test('nothing, and what lies behind the base, is not noted', t => {
  const profile = recorder(3 * GRAIN)
  profile.note(0, 0)
  profile.note(3 * GRAIN, 1)
  profile.note(2 ** 50, 1)
  t.deepEqual(profile.entries(), [])
  t.throws(() => profile.note(-1, 1), { instanceOf: RangeError })
  t.throws(() => ProfileRecorder.allocate(10, 0), { instanceOf: RangeError })
})

test('a full list keeps the beginning, and says that there was more', t => {
  const profile = recorder(2 * 65_540 * 512, 512)
  for (let n = 0; n < 65_536; n++) profile.note(n * 1024, 512)
  t.false(profile.overflowed)
  profile.note(65_537 * 1024, 512)
  t.true(profile.overflowed)
  t.is(profile.entries().length, 65_536)
  t.deepEqual(profile.entries()[65_535], { offset: 65_535 * 1024, length: 512 })
})

test('whatever is read, each grain of it is in the profile once, and the first read comes first', t => {
  const reads = fc.array(fc.tuple(fc.nat(200 * GRAIN), fc.nat(30 * GRAIN)), { minLength: 1, maxLength: 40 })
  holds(
    t,
    fc.property(reads, ranges => {
      const size = 201 * GRAIN + 512
      const profile = recorder(size)
      const expected = new Set<number>()
      for (const [offset, length] of ranges) {
        profile.note(offset, length)
        const end = Math.min(offset + length, size)
        for (let grain = Math.floor(offset / GRAIN); grain * GRAIN < end && length > 0; grain++)
          expected.add(grain)
      }
      const found = profile.entries().flatMap(({ offset, length }) => {
        return Array.from({ length: Math.ceil(length / GRAIN) }, (_, n) => offset / GRAIN + n)
      })
      const [first] = expected
      return found.length === expected.size && found.every(grain => expected.has(grain)) && found[0] === first
    }),
  )
})

test('four threads note the same ranges once', async t => {
  const description = ProfileRecorder.allocate(64 * MIB, GRAIN)
  const workers = [1, 2, 3, 4].map(seed => {
    const workerData: RecorderTask = { description, rounds: 2000, seed }
    return new Worker(new URL('./profile-recorder-worker.js', import.meta.url), { workerData })
  })
  const ends = workers.map(worker => once(worker, 'exit'))
  const noted = new Set<number>()
  for (const [message] of await Promise.all(workers.map(worker => once(worker, 'message')))) {
    for (const grain of message as number[]) noted.add(grain)
  }
  await Promise.all(ends)
  const profile = new ProfileRecorder(description)
  t.true(grains(profile).every(([, count]) => count > 0))
  const found = grains(profile).flatMap(([first, count]) =>
    Array.from({ length: count }, (_, n) => first + n),
  )
  t.is(found.length, noted.size)
  t.true(found.every(grain => noted.has(grain)))
})
