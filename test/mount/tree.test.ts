import test from 'ava'
import { Attributes, FileSystemStatistics } from '../../src/fuse/file-system.js'
import { IoBuffer } from '../../src/libc/io-buffer.js'
import type { DirectoryNode } from '../../src/mount/nodes.js'
import { TextFile } from '../../src/mount/tree/text-file.js'
import { Tree } from '../../src/mount/tree/tree.js'
import { TextSlots } from '../../src/shared/text-slots.js'

function tree(produce = () => 'text'): Tree {
  const texts = new TextSlots(TextSlots.allocate())
  const root: DirectoryNode = {
    name: '',
    children: [
      new TextFile('a', texts, 0o444, produce),
      { name: 'd', children: [new TextFile('b', texts, 0o400, produce)] },
    ],
  }
  return new Tree(root, { uid: 12, gid: 34 }, 0o700, 1_500_000_000_250, out => {
    out.blocks = 7
  })
}

test('names lead to inodes that every tree of the same shape has', t => {
  for (const fs of [tree(), tree()]) {
    t.is(fs.lookup(1, 'a'), 2)
    t.is(fs.lookup(1, 'd'), 3)
    t.is(fs.lookup(3, 'b'), 4)
    t.is(fs.lookup(3, '..'), 1)
  }
})

test('a name that is not there, or in what is no directory, says so', t => {
  const fs = tree()
  t.throws(() => fs.lookup(1, 'b'), { message: /ENOENT/ })
  t.throws(() => fs.lookup(2, 'x'), { message: /ENOTDIR/ })
  t.throws(() => fs.attributes(99, new Attributes()), { message: /ENOENT/ })
})

test('directories show owner, mode, links and the time of the mount', t => {
  const fs = tree()
  const out = new Attributes()
  fs.attributes(1, out)
  t.like(out, {
    inode: 1,
    mode: 0o040700,
    uid: 12,
    gid: 34,
    links: 3,
    mtime: 1_500_000_000,
    mtimeNanoseconds: 250e6,
  })
  t.deepEqual(
    fs.entries(1).map(entry => entry.name),
    ['.', '..', 'a', 'd'],
  )
})

test('attributes leave nothing of the last file in the object that is reused', t => {
  const fs = tree()
  const out = new Attributes()
  out.blocks = 99
  fs.attributes(2, out)
  t.like(out, { mode: 0o100444, blocks: 0, size: 4, links: 1 })
})

test('a text stays as it was at the open, for as long as the handle lives', t => {
  let count = 0
  const fs = tree(() => `number ${count++}`)
  const buffer = new IoBuffer(32)
  const first = fs.open(2, 0)
  const second = fs.open(2, 0)
  t.is(fs.read(2, first, buffer, 0, 32, 0), 8)
  t.is(Buffer.from(buffer.bytes.subarray(0, 8)).toString(), 'number 0')
  t.is(fs.read(2, second, buffer, 0, 32, 7), 1)
  t.is(buffer.bytes[0], '1'.charCodeAt(0))
  fs.release(2, first)
  fs.release(2, second)
})

test('what a text or a directory cannot do is refused', t => {
  const fs = tree()
  t.throws(() => fs.open(2, 1), { message: /EACCES/ })
  t.throws(() => fs.open(1, 0), { message: /EISDIR/ })
  t.throws(() => fs.entries(2), { message: /ENOTDIR/ })
  t.throws(() => fs.allocate(2, 0, 3, 0, 1), { message: /EOPNOTSUPP/ })
})

test('the file system is as large as it is said to be', t => {
  const out = new FileSystemStatistics()
  tree().statistics(out)
  t.like(out, { blocks: 7, files: 4 })
})
