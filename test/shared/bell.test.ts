import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import { Bell } from '../../src/shared/bell.js'

/** Milliseconds: longer than a test may take, so that a call that does not wake fails it. */
const FOR_EVER = 1_000_000

test('who looked before it rang does not sleep', t => {
  const bell = new Bell(Bell.allocate())
  const { rung } = bell
  bell.ring()
  t.not(bell.rung, rung)
  bell.wait(rung, FOR_EVER)
  t.false(bell.isEnded)
})

test('after the end nobody sleeps, neither for a ring nor in a pause', t => {
  const bell = new Bell(Bell.allocate())
  const { rung } = bell
  bell.end()
  t.true(bell.isEnded)
  bell.wait(rung, FOR_EVER)
  bell.rest(FOR_EVER)
})

/** A thread that says when it sleeps, and when it was woken. */
const SLEEPER = `
  import { parentPort, workerData } from 'node:worker_threads'
  const { Bell } = await import(workerData.module)
  const bell = new Bell(workerData.memory)
  const { rung } = bell
  parentPort.postMessage('asleep')
  if (workerData.pause) bell.rest(${FOR_EVER})
  else bell.wait(rung, ${FOR_EVER})
  parentPort.postMessage(bell.isEnded ? 'ended' : 'rung')
`

for (const pause of [false, true]) {
  test(`a thread that sleeps ${pause ? 'in a pause is woken by the end only' : 'is woken by a ring'}`, async t => {
    const memory = Bell.allocate()
    const module = new URL('../../src/shared/bell.js', import.meta.url).href
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(SLEEPER)}`), {
      workerData: { memory, module, pause },
    })
    t.teardown(() => worker.terminate())
    t.deepEqual(await once(worker, 'message'), ['asleep'])
    const bell = new Bell(memory)
    bell.ring()
    if (pause) bell.end()
    t.deepEqual(await once(worker, 'message'), [pause ? 'ended' : 'rung'])
  })
}
