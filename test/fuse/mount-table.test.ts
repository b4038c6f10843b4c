import test from 'ava'
import { parseMountLine } from '../../src/fuse/mount-table.js'

test('a line of the mount table is taken apart, with any number of optional fields', t => {
  const line =
    '36 35 0:41 / /mnt/a\\040b ro,nosuid shared:1 master:2 - fuse.rawmount /x\\011y\\134z ro,user_id=0'
  const expected = {
    device: '0:41',
    minor: 41,
    mountpoint: '/mnt/a b',
    type: 'fuse.rawmount',
    source: '/x\ty\\z',
    readOnly: true,
  }
  t.deepEqual(parseMountLine(line), [expected])
  t.deepEqual(parseMountLine(line.replace(' shared:1 master:2', '')), [expected])
})

test('a line without a type is none', t => {
  t.deepEqual(parseMountLine(''), [])
  t.deepEqual(parseMountLine('36 35 0:41 / /mnt rw'), [])
})
