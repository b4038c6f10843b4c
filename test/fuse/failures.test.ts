import test from 'ava'
import { RequestFailures } from '../../src/fuse/failures.js'
import { errno, SystemError } from '../../src/libc/errno.js'

function setUp() {
  const lines: string[] = []
  const clock = { now: 1_000_000 }
  return {
    lines,
    clock,
    failures: new RequestFailures(
      line => lines.push(line),
      () => clock.now,
    ),
  }
}

test('what programs are told every day is no failure to tell of', t => {
  const { lines, failures } = setUp()
  for (const code of ['ENOENT', 'EACCES', 'EROFS', 'EOPNOTSUPP', 'ENXIO'] as const)
    failures.note('OPEN', new SystemError(errno[code], 'open', 'x'))
  t.deepEqual(lines, [])
  failures.note('WRITE', new SystemError(errno.ENOSPC, 'pwrite', '/vm/a.qed'))
  t.is(lines.length, 1)
  t.regex(lines[0]!, /^WRITE failed: .*\/vm\/a\.qed.*ENOSPC/)
})

test('a guest that goes on failing does not fill the log, and what was left out is counted', t => {
  const { lines, clock, failures } = setUp()
  const fail = () => failures.note('READ', new SystemError(errno.EIO, 'pread', 'x'))
  for (let n = 0; n < 1000; n++) fail()
  t.is(lines.length, 5)
  clock.now += 9_999
  fail()
  t.is(lines.length, 5)
  clock.now += 1
  fail()
  fail()
  t.is(lines.length, 6)
  t.regex(lines[5]!, /\(996 more failed before and were not told\)$/)
  // A long peace earns no more than the first burst.
  clock.now += 3_600_000
  for (let n = 0; n < 10; n++) fail()
  t.is(lines.length, 11)
})
