import test from 'ava'
import { fioArguments, fioResult } from '../../bench/fio.js'

const how = { path: '/x', direct: true, seconds: 2.5, seed: 7 }

test('a buffered job uses no O_DIRECT, though its contender would', t => {
  t.true(fioArguments({ rw: 'randread', blockSize: '4k' }, how).includes('--direct=1'))
  t.true(fioArguments({ rw: 'randread', blockSize: '4k', buffered: true }, how).includes('--direct=0'))
})

test('a contender without O_DIRECT never gets it', t => {
  t.true(fioArguments({ rw: 'read', blockSize: '1M' }, { ...how, direct: false }).includes('--direct=0'))
})

test('a log is replayed once, anything else repeated until the time is over', t => {
  const replay = fioArguments({ rw: 'randwrite', blockSize: '4k', replay: '/log' }, how)
  t.true(replay.includes('--read_iolog=/log'))
  t.false(replay.some(argument => argument.startsWith('--time_based')))
  t.true(fioArguments({ rw: 'randwrite', blockSize: '4k' }, how).includes('--time_based=1'))
})

const direction = (iops: number, bytes: number, operations: number) => ({
  iops,
  bw_bytes: bytes,
  total_ios: operations,
})

test('reads and writes are added up, and notes before the result passed over', t => {
  const job = { error: 0, read: direction(10, 40, 20), write: direction(5, 20, 10) }
  t.deepEqual(fioResult(`note: something\n${JSON.stringify({ jobs: [job] })}`), {
    iops: 15,
    bytesPerSecond: 60,
    operations: 30,
  })
})

test('a job that did nothing is an error', t => {
  const job = { error: 0, read: direction(0, 0, 0), write: direction(0, 0, 0) }
  t.throws(() => fioResult(JSON.stringify({ jobs: [job] })), { message: /did nothing/ })
})

test('a job with an error is an error, whatever else it did', t => {
  const job = { error: 5, read: direction(1, 1, 1), write: direction(0, 0, 0) }
  t.throws(() => fioResult(JSON.stringify({ jobs: [job] })), { message: /failed/ })
})
