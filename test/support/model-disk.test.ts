import test from 'ava'
import { ModelDisk } from './model-disk.js'
import { pattern } from './pattern.js'

test('after a power cut each sector may show what was flushed or anything later', t => {
  const disk = new ModelDisk(2048)
  const first = disk.write(0, 1024, 1)
  disk.flush()
  disk.write(0, 1024, 2)
  const third = disk.write(0, 1024, 3)
  const seen = new Uint8Array(2048)
  seen.set(first.subarray(0, 512), 0)
  seen.set(third.subarray(512), 512)
  t.is(disk.adopt(seen, 0), null)
  t.is(disk.compare(seen, 0), null)
})

test('a sector that mixes two writes is told by name', t => {
  const disk = new ModelDisk(512)
  const seen = disk.write(0, 512, 1).slice()
  seen.set(disk.write(0, 512, 2).subarray(256), 256)
  t.regex(disk.adopt(seen, 0)!, /byte \d+ \(sector 0\) shows write 1, must show write 2; 1 sectors/)
})

test('lost, stale and foreign contents are told apart', t => {
  const disk = new ModelDisk(4096)
  disk.write(512, 512, 7)
  disk.flush()
  t.regex(disk.compare(new Uint8Array(512), 512)!, /shows zeros, must show write 7/)
  t.regex(disk.compare(pattern(512, 512, 3, 1), 512)!, /shows base 1, version 3, must show write 7/)
  t.regex(disk.compare(pattern(1024, 512, 7, 0), 512)!, /as a pattern: write 7 of sector 2, word 0/)
})

test('a longer disk over a base shows zeros beyond it', t => {
  const base = new ModelDisk(700)
  base.write(0, 700, 1, 1)
  const disk = ModelDisk.over(base, 2048)
  t.deepEqual(disk.bytes(0, 700), base.bytes(0, 700))
  t.true(disk.isZero(700, 1348))
  t.is(ModelDisk.over(base, 512).compare(base.bytes(0, 512), 0), null)
})
