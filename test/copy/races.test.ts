import test from 'ava'
import { Budget, isLongRun } from '../support/budget.js'
import { seeded } from '../support/random.js'
import { drawCast, RACES, type Race } from '../support/scheduler/casts.js'
import { ScheduledRuns } from '../support/scheduler/runs.js'
import { makeStage, readsOnce, STAGES, type StageSpec } from '../support/scheduler/stages.js'
import { Level } from '../support/scheduler/turns.js'

/** Threads of a stage are started once, for all tests of it. */
const stages = new Map<string, ScheduledRuns>()
const THREADS = 4

test.before(async () => {
  for (const [name, spec] of Object.entries(STAGES)) {
    stages.set(name, await ScheduledRuns.open(makeStage(spec, THREADS)))
  }
})
test.after.always(async () => {
  for (const runs of stages.values()) await runs.close()
})

function demands(spec: StageSpec, race: Race) {
  return readsOnce(spec) && race.mayReadTwice === undefined ? { readOnce: '/base' } : {}
}

for (const [stage, spec] of Object.entries<StageSpec>(STAGES)) {
  const races = Object.entries<Race>(RACES).filter(([name]) => spec.races?.test(name) ?? true)
  for (const [name, race] of races) {
    test.serial(`${stage}: no interleaving of ${name} goes wrong`, t => {
      const { failure, runs, complete } = stages.get(stage)!.explore(race.cast(spec.grain, spec.size), {
        preemptions: race.preemptions + (isLongRun ? 1 : 0),
        demands: demands(spec, race),
        most: 20_000,
      })
      t.log(`${runs} interleavings`)
      t.is(failure, null)
      t.true(complete)
    })
  }

  test.serial(`${stage}: no race goes wrong wherever in it one thread gives way to another`, t => {
    for (const [name, race] of races) {
      const cast = race.cast(spec.grain, spec.size)
      // A table of QED that is made on the way has thousands of accesses.
      const isLong = Object.keys(cast).length > 2 || (spec.format === 'qed' && !spec.begun)
      if (isLong && !isLongRun) continue
      const options = { level: Level.fine, preemptions: 1, demands: demands(spec, race), most: 20_000 }
      const { failure, runs, complete } = stages.get(stage)!.explore(cast, options)
      t.log(`${name}: ${runs} interleavings`)
      t.is(failure, null)
      t.true(complete)
    }
    t.pass()
  })

  test.serial(`${stage}: random threads at random points see and leave what they should`, t => {
    const random = seeded(t)
    const budget = new Budget(400)
    for (let n = 0; budget.next(); n++) {
      const draw = random.fork(n)
      const cast = drawCast(draw, spec.grain, spec.size)
      const chance = draw.pick([0.01, 0.05, 0.3])
      const level = draw.chance(0.7) ? Level.fine : Level.coarse
      const failure = stages.get(stage)!.draw(cast, draw.word(), chance, level, {
        ...(readsOnce(spec) && { readOnce: '/base' }),
      })
      if (failure !== null) return t.fail(failure)
    }
    return t.pass()
  })
}
