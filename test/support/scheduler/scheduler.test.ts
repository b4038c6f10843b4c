import test from 'ava'
import { Random } from '../random.js'
import { drawCast, RACES, type Race, type RaceName } from './casts.js'
import type { Mutation } from './patched-program.js'
import { ScheduledRuns } from './runs.js'
import { makeStage, readsOnce, STAGES, type StageName, type StageSpec } from './stages.js'
import { Level } from './turns.js'

/** A program that was broken on purpose, and what must be found of it by a race of races.test.ts. */
interface Broken {
  readonly mutation: Mutation
  readonly stage: StageName
  readonly race: RaceName
  readonly finds: RegExp
  /** One preemption, at every access to shared memory. */
  readonly fine?: boolean
}

const BROKEN: Record<string, Broken> = {
  'a writer that does not look again under the lock': {
    mutation: { file: 'disk/write-path', from: 'run.where !== where', to: 'false' },
    stage: 'compact FVD, blocks across chunks',
    race: 'two writers in a grain',
    finds: /no order explains it/,
  },
  'a prefetcher that stores over what a guest wrote meanwhile': {
    mutation: {
      file: 'disk/write-path',
      from: 'run.where !== where',
      to: 'sum !== Sum.written ? false : run.where !== where',
    },
    stage: 'flat FVD',
    race: 'a prefetcher and a writer of whole grains',
    finds: /no order explains it/,
  },
  'zeros that are published over what a guest wrote meanwhile': {
    mutation: {
      file: 'disk/write-path',
      from: /run\.where !== Where\.absent\)\s+return 0/,
      to: 'false) return 0',
    },
    stage: 'compact FVD over zeros',
    race: 'a prefetcher and a writer of whole grains',
    finds: /no order explains it/,
  },
  'readers that do not wait for each other’s fetches': {
    mutation: { file: 'disk/base-reads', from: 'this.copying === null ? -1', to: 'true ? -1' },
    stage: 'QED',
    race: 'two readers of a grain, and a copier',
    finds: /read more than once/,
  },
  'a reader that does not look again for what has left the ring': {
    mutation: {
      file: 'disk/fetch-path',
      from: 'driver.map(offset, Math.min(length, gapEnd - offset), run)',
      to: 'run.length = Math.min(run.length, gapEnd - offset)',
    },
    stage: 'QED',
    race: 'two readers of a grain, and a copier',
    finds: /read more than once/,
  },
  'a prefetcher that does not look into the ring': {
    mutation: { file: 'disk/copy-path', from: 'ring.gap(next, end - next)', to: 'end - next' },
    stage: 'flat FVD',
    race: 'a prefetcher, a reader and a copier',
    finds: /read more than once/,
  },
  'a prefetcher that skips what is busy and calls the image complete': {
    mutation: { file: 'copy/copier', from: 'if (progress.foundAny)', to: 'if (false)' },
    stage: 'QED',
    race: 'two whole copiers and a reader',
    finds: /without it|cannot be read/,
  },
  'a prefetcher that calls the image complete while a piece is under way': {
    mutation: {
      file: 'copy/copier',
      from: /if \(progress\.inFlight > 0\)\s+return LOOK_AGAIN;\s+if \(progress\.foundAny\)/,
      to: 'if (false)',
    },
    stage: 'flat FVD',
    race: 'two whole copiers and a writer',
    finds: /without it|cannot be read/,
  },
  'a copier that stores after the image was closed': {
    mutation: { file: 'shared/gate', from: 'if (!this.isClosed)', to: 'if (true)' },
    stage: 'QED',
    race: 'the close, a reader, a copier and a prefetcher',
    finds: /is changed after it was closed/,
  },
  'a close that does not wait for copiers': {
    mutation: { file: 'shared/gate', from: 'if (inside === 0)', to: 'if (true)' },
    stage: 'QED',
    race: 'the close, a reader, a copier and a prefetcher',
    finds: /is changed after it was closed/,
  },
  'a reader that gets an error of a base that was let go': {
    mutation: { file: 'disk/fetch-path', from: '!this.isAbsent(offset)', to: 'false' },
    stage: 'QED over QED, nothing kept',
    race: 'the end of a prefetch, a reader and a copier',
    finds: /EISDIR|directory/,
  },
  'a lock that wakes nobody': {
    mutation: { file: 'shared/range-lock', from: 'sleepers > 0', to: 'false' },
    stage: 'QED',
    race: 'two writers in a grain',
    finds: /deadlock/,
  },
  'a map that looks twice at whether a block is in the image': {
    mutation: {
      file: 'formats/fvd/driver',
      from: 'count < 0',
      to: 'signedRun(this.state.bitmap, block, block + 1) < 0',
    },
    stage: 'flat FVD',
    race: 'a writer of one grain, and a reader of it and the next',
    finds: /which nobody wrote/,
    fine: true,
  },
  'blocks that are seen before they are marked for the commit': {
    mutation: {
      file: 'formats/fvd/writable-driver',
      from: 'mutex.lock();\n        // Marked',
      to: 'mutex.lock();\n        setBits(bitmap, first, last); // Marked',
    },
    stage: 'flat FVD',
    race: 'two writers in a grain, one of which flushes',
    finds: /after a flush and a power cut/,
    fine: true,
  },
  'a mutex that does not exclude': {
    mutation: {
      file: 'shared/mutex',
      from: '.compareExchange(words, index, 0, 1) === 0',
      to: '.exchange(words, index, 1) < 3',
    },
    stage: 'compact FVD, blocks across chunks',
    race: 'a prefetcher and a writer of other grains',
    finds: /no order explains it|which nobody wrote|after a flush|deadlock/,
    fine: true,
  },
}

for (const [title, { mutation, stage, race, finds, fine = false }] of Object.entries(BROKEN)) {
  test.serial(`the scheduler finds ${title}`, async t => {
    const spec: StageSpec = STAGES[stage]
    const runs = await ScheduledRuns.open(makeStage(spec, 4, [mutation]))
    try {
      const { cast, preemptions, mayReadTwice }: Race = RACES[race]
      const demands = readsOnce(spec) && mayReadTwice === undefined ? { readOnce: '/base' } : {}
      const found = runs.explore(cast(spec.grain, spec.size), {
        level: fine ? Level.fine : Level.coarse,
        preemptions: fine ? 1 : preemptions,
        most: 3000,
        demands,
      })
      t.log(`after ${found.runs} interleavings`)
      t.regex(found.failure ?? 'nothing', finds)
    } finally {
      await runs.close()
    }
  })
}

test.serial('a run is the same again with the same choices, and with the same seed', async t => {
  const runs = await ScheduledRuns.open(makeStage(STAGES.QED, 4))
  try {
    const { grain, size } = STAGES.QED
    const cast = drawCast(new Random(3), grain, size)
    const stories = [7, 8, 7].map(seed => {
      t.is(runs.draw(cast, seed, 0.2, Level.fine), null)
      return runs.story()
    })
    t.is(stories[0], stories[2])
    t.not(stories[0], stories[1])
  } finally {
    await runs.close()
  }
})
