import test from 'ava'
import { Cleanup } from '../../bench/cleanup.js'

test('what was done last is undone first', async t => {
  const undone: number[] = []
  const cleanup = new Cleanup()
  for (const n of [1, 2, 3]) cleanup.add(async () => void undone.push(n))
  await cleanup.run()
  t.deepEqual(undone, [3, 2, 1])
})

test('what was undone already is not undone again', async t => {
  let count = 0
  const cleanup = new Cleanup()
  const undo = cleanup.add(async () => void count++)
  await undo()
  await undo()
  await cleanup.run()
  t.is(count, 1)
})

test('a failure keeps nothing else from being undone', async t => {
  const undone: number[] = []
  const cleanup = new Cleanup()
  cleanup.add(async () => void undone.push(1))
  cleanup.add(async () => {
    throw new Error('busy')
  })
  t.deepEqual(
    (await cleanup.run()).map(({ message }) => message),
    ['busy'],
  )
  t.deepEqual(undone, [1])
})
