import test from 'ava'
import type { OutdatedPages } from '../../src/fuse/file-system.js'
import { Invalidator } from '../../src/fuse/invalidator.js'
import { lseek } from '../../src/libc/files.js'
import { serve } from './support/fake-channel.js'
import { DISK, MemoryFileSystem } from './support/memory-file-system.js'
import { pack, request, UNIQUE, u32, u64 } from './support/message.js'

const FSYNC = 20
const FLUSH = 25

class Outdated extends MemoryFileSystem {
  constructor(private readonly pages: readonly OutdatedPages[] = []) {
    super(new SharedArrayBuffer(8192))
  }

  override outdates(): boolean {
    return true
  }

  override takeOutdated(inode: number): readonly OutdatedPages[] {
    this.calls.push(`take ${inode}`)
    return this.pages
  }

  override droppedOutdated(): void {
    this.calls.push('dropped')
  }
}

test('FSYNC and FLUSH of what others may have old pages of are not answered, but handed on', t => {
  const fs = new Outdated()
  const { replies, deferred } = serve(fs, [
    request(FSYNC, DISK, u64(5), u32(0), u32(0)),
    request(FLUSH, DISK, u64(5), u64(0), u64(0)),
  ])
  t.deepEqual(replies, [])
  const handed = { inode: DISK, descriptor: 99, uniqueLow: UNIQUE % 2 ** 32, uniqueHigh: 1 }
  t.deepEqual(deferred, [handed, handed])
  // The data are durable first.
  t.deepEqual(fs.calls, [`sync ${DISK} 5`, `flush ${DISK} 5`])
})

test('pages are dropped one part after the other, then the request is answered where it came from', t => {
  const fs = new Outdated([
    { inode: 2 ** 32 + 1025, offset: 2 ** 40, length: 4096 },
    { inode: 7, offset: 0, length: 2 ** 33 },
  ])
  const sent: [number, Buffer][] = []
  const invalidator = new Invalidator(fs, (descriptor, address, length) => {
    sent.push([Number(descriptor), messageAt(invalidator, Number(address), Number(length))])
    return Number(length)
  })
  invalidator.answer({ inode: DISK, descriptor: 12, uniqueLow: UNIQUE % 2 ** 32, uniqueHigh: 1 })
  const notification = (inode: number, offset: number, length: number): Buffer =>
    Buffer.from(pack(u32(40), u32(2), u64(0), u64(inode), u64(offset), u64(length)))
  t.deepEqual(sent, [
    [12, notification(2 ** 32 + 1025, 2 ** 40, 4096)],
    [12, notification(7, 0, 2 ** 33)],
    [12, Buffer.from(pack(u32(16), u32(0), u64(UNIQUE)))],
  ])
  t.deepEqual(fs.calls, [`take ${DISK}`, 'dropped'])
})

test('an answer that fails in an unknown way is given again, and given up when it goes on failing', t => {
  const answering = (failures: number) => {
    let calls = 0
    const invalidator = new Invalidator(new Outdated(), (_descriptor, _address, length) => {
      if (calls++ >= failures) return Number(length)
      // As it is when a call of the runtime fails between the write and the question for its errno.
      return lseek(-1, 0, 0)
    })
    return () => {
      invalidator.answer({ inode: DISK, descriptor: 12, uniqueLow: 1, uniqueHigh: 0 })
      return calls
    }
  }
  t.is(answering(1)(), 2)
  t.is(answering(2)(), 3)
  t.throws(answering(3), { message: /write of a reply: .*EBADF/ })
})

/** What lies in the one of the two buffers that has the address. */
function messageAt(invalidator: Invalidator, address: number, length: number): Buffer {
  const buffers = Object.values(invalidator).filter(value => value?.address === address)
  return Buffer.from(buffers[0].bytes.subarray(0, length))
}
