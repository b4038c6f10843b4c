import test from 'ava'
import { contend } from './contend.js'

test('increments under a mutex from four threads are all counted', async t => {
  const words = new SharedArrayBuffer(8)
  await contend({ kind: 'mutex', lock: new SharedArrayBuffer(4), words, rounds: 20_000 }, 4)
  t.is(new Float64Array(words)[0], 80_000)
})
