import test from 'ava'
import { errno, SystemError } from '../../src/libc/errno.js'
import { IoBuffer } from '../../src/libc/io-buffer.js'
import { type CrashChoice, CrashStates, randomChoice, systematicChoices } from './crash-states.js'
import { Random } from './random.js'
import { SimulatedStorage } from './simulated-storage.js'

const buffer = new IoBuffer(16384)

function setup() {
  const storage = new SimulatedStorage()
  const file = storage.create('/disk/a', false)
  storage.settle()
  const put = (value: number, length: number, offset: number) => {
    buffer.bytes.fill(value, 0, length)
    file.write(buffer, 0, length, offset)
  }
  const at = (choice: CrashChoice) => {
    const states = new CrashStates(storage)
    while (states.advance());
    return states.build(choice).contents('/disk/a')
  }
  return { storage, file, put, at }
}

const lost: CrashChoice = { name: 'lost', keep: () => false }
const only = (wanted: number): CrashChoice => ({ name: 'only', keep: index => index === wanted })

test('what was written before the last barrier survives every choice', t => {
  const { file, put, at } = setup()
  put(1, 1024, 0)
  file.sync()
  put(2, 1024, 0)
  t.deepEqual(at(lost).bytes(), new Uint8Array(1024).fill(1))
})

test('a lost growing write below one that survived leaves zeros', t => {
  const { put, at } = setup()
  put(1, 512, 0)
  put(2, 512, 512)
  const bytes = at(only(1)).bytes()
  t.is(bytes.length, 1024)
  t.true(bytes.subarray(0, 512).every(byte => byte === 0))
  t.true(bytes.subarray(512).every(byte => byte === 2))
})

test('a write that survived beyond the surviving size is cut off', t => {
  const { put, at } = setup()
  put(1, 512, 0)
  put(2, 512, 512)
  t.is(at({ name: 'size of the first', keep: () => true, sizeOf: () => 0 }).size, 512)
})

test('a write smaller than a sector carries the whole sector as it stood', t => {
  const { file, put, at } = setup()
  put(1, 512, 0)
  file.sync()
  put(2, 100, 0)
  put(3, 100, 400)
  const bytes = at(only(1)).bytes()
  t.deepEqual([bytes[0], bytes[200], bytes[450]], [2, 1, 3])
})

test('a torn write keeps a subset of its sectors', t => {
  const { put, at } = setup()
  put(1, 2048, 0)
  const bytes = at({ name: 'odd', keep: () => (sector: number) => sector % 2 === 1 }).bytes()
  t.deepEqual(
    [0, 512, 1024, 1536].map(offset => bytes[offset]),
    [0, 1, 0, 1],
  )
})

test('after a barrier that failed no later one promises anything', t => {
  const { storage, file, put, at } = setup()
  put(1, 512, 0)
  storage.failNext('sync', errno.EIO)
  t.throws(() => file.sync(), { instanceOf: SystemError })
  file.sync()
  t.is(at(lost).size, 0)
})

test('a barrier that is ignored is no barrier', t => {
  const { storage, file, put, at } = setup()
  storage.interfere = call => (call.kind === 'sync' ? 'ignore' : 'proceed')
  put(1, 512, 0)
  file.sync()
  t.is(at(lost).size, 0)
})

test('zeroing keeps the size and may be lost', t => {
  const { file, put, at } = setup()
  put(1, 8192, 0)
  file.sync()
  file.zero(100, 5000)
  const kept = at({ name: 'all', keep: () => true }).bytes()
  t.deepEqual([kept.length, kept[99], kept[100], kept[5099], kept[5100]], [8192, 1, 0, 0, 1])
  t.true(
    at(lost)
      .bytes()
      .every(byte => byte === 1),
  )
})

test('a shortened file that grew again shows zeros, or the old contents when that was lost', t => {
  const { file, put, at } = setup()
  put(1, 4096, 0)
  file.sync()
  file.truncate(512)
  file.truncate(4096)
  t.is(at({ name: 'all', keep: () => true }).bytes()[600], 0)
  t.is(at(lost).bytes()[600], 1)
})

test('crashed states do not write into each other', t => {
  const { storage, put } = setup()
  put(1, 4096, 0)
  const states = new CrashStates(storage)
  states.advance()
  const [one, other] = [0, 1].map(() => states.build({ name: 'all', keep: () => true }))
  one.open('/disk/a', true).write(new IoBuffer(4096), 0, 4096, 0)
  t.is(other.contents('/disk/a').bytes()[0], 1)
  t.is(storage.contents('/disk/a').bytes()[0], 1)
})

test('random choices are the same for the same seed, and reach torn states', t => {
  const { storage, put } = setup()
  for (let n = 0; n < 6; n++) put(n + 1, 4096, n * 2048)
  const states = new CrashStates(storage)
  while (states.advance());
  const build = (seed: number) =>
    states
      .build(randomChoice(new Random(seed), states.pending))
      .contents('/disk/a')
      .bytes()
  const seen = new Set<string>()
  for (let seed = 0; seed < 100; seed++) {
    t.deepEqual(build(seed), build(seed))
    seen.add(Buffer.from(build(seed)).toString('base64'))
  }
  t.true(seen.size > 50, `${seen.size} different states of 100`)
  t.true(systematicChoices(states.pending).length >= 7)
})

test('faults hit the call that was asked for, once or for good', t => {
  const { storage, file, put } = setup()
  storage.failNext('write', errno.ENOSPC, { nth: 2 })
  put(1, 512, 0)
  t.throws(() => put(1, 512, 512), { message: /no space left on device \(ENOSPC\)/ })
  put(1, 512, 512)
  storage.failNext('any', errno.EIO, { sticky: true })
  t.throws(() => file.read(buffer, 0, 512, 0), { message: /EIO/ })
  t.throws(() => file.sync(), { message: /EIO/ })
  storage.clearFaults()
  t.is(file.read(buffer, 0, 4096, 0), 1024)
})

test('a second writer is kept out, and readers share', t => {
  const { storage, file } = setup()
  storage.lock(file)
  t.throws(() => storage.lock(storage.open('/disk/a', false)), { code: 'IN_USE' })
  storage.kill()
  storage.lock(storage.open('/disk/a', false))
  storage.lock(storage.open('/disk/a', false))
  t.throws(() => storage.lock(storage.open('/disk/a', true)), { code: 'IN_USE' })
})
