import test from 'ava'
import { Opcode } from '../../src/fuse/protocol.js'
import { errno } from '../../src/libc/errno.js'
import { serve } from './support/fake-channel.js'
import { DISK, HIDDEN, MemoryFileSystem, ROOT, STATUS } from './support/memory-file-system.js'
import { pack, reply, request, u32, u64 } from './support/message.js'

const SIZE = 65_536
const MiB = 1024 * 1024
const O_RDWR = 2

function setup(faultOffset?: number) {
  const memory = new SharedArrayBuffer(SIZE)
  return { fs: new MemoryFileSystem(memory, faultOffset), disk: new Uint8Array(memory) }
}

/** The one answer to one request. */
function ask(message: Uint8Array, fs = setup().fs, options = {}) {
  return serve(fs, [message], options).replies[0]
}

const read = (inode: number, offset: number, size: number) =>
  request(15, inode, u64(1), u64(offset), u32(size), u32(0), u64(0), u32(0), u32(0))
const write = (offset: number, data: Uint8Array, size = data.length) =>
  request(16, DISK, u64(1), u64(offset), u32(size), u32(0), u64(0), u32(0), u32(0), data)
const open = (inode: number, flags: number) => request(14, inode, u32(flags), u32(0))
const release = (inode: number, flags: number) => request(18, inode, u64(1), u32(flags), u32(0), u64(0))
const seek = (offset: number, whence: number) => request(46, DISK, u64(1), u64(offset), u32(whence), u32(0))

/** struct fuse_attr of the file disk.raw without data. */
const diskAttributes = pack(
  ...[u64(DISK), u64(SIZE), u64(0), u64(1_700_000_000), u64(1_700_000_000), u64(1_700_000_000)],
  ...[u32(123), u32(123), u32(123), u32(0o100600), u32(1), u32(process.getuid!()), u32(process.getgid!())],
  ...[u32(0), u32(65_536), u32(0)],
)

test('LOOKUP gives the inode with its attributes, and the name for a day', t => {
  const expected = reply(0, u64(DISK), u64(0), u64(86_400), u64(1), u32(0), u32(0), diskAttributes)
  t.is(expected.length, 144)
  t.deepEqual(ask(request(1, ROOT, 'disk.raw')), expected)
})

test('LOOKUP of a status file lets the kernel keep the name, but not the attributes', t => {
  const answer = ask(request(1, HIDDEN, 'status.json'))!
  t.deepEqual(answer.subarray(16, 56), pack(u64(STATUS), u64(0), u64(86_400), u64(0), u32(0), u32(0)))
})

test('LOOKUP of a name that does not exist is ENOENT, and no error of ours', t => {
  const { replies, totals } = serve(setup().fs, [request(1, ROOT, 'no')])
  t.deepEqual(replies, [reply(-errno.ENOENT)])
  t.is(totals.errors, 0)
})

test('LOOKUP of what is not one name that ends with zero is EINVAL', t => {
  const bad = [pack(), pack(''), Buffer.from('disk.raw'), pack('a', 'b')]
  for (const name of bad) t.deepEqual(ask(request(1, ROOT, name)), reply(-errno.EINVAL))
})

test('GETATTR gives the attributes, good for a second', t => {
  const expected = reply(0, u64(1), u32(0), u32(0), diskAttributes)
  t.is(expected.length, 120)
  t.deepEqual(ask(request(3, DISK, u32(0), u32(0), u64(0))), expected)
})

test('SETATTR of the times, as the write-back cache sends it before fsync, is taken', t => {
  const MTIME_AND_CTIME = (1 << 5) | (1 << 10)
  const body = [
    ...[u32(MTIME_AND_CTIME), u32(0), u64(0), u64(0), u64(0), u64(1), u64(1_800_000_000), u64(3)],
    ...[u32(4), u32(555), u32(6), u32(7), u32(8), u32(9), u32(10), u32(11)],
  ]
  const answer = ask(request(4, DISK, ...body))!
  t.is(answer.length, 120)
  t.deepEqual(answer.subarray(32 + 32, 32 + 40), pack(u64(1_800_000_000)))
  t.deepEqual(answer.subarray(32 + 52, 32 + 56), pack(u32(555)))
})

test('SETATTR of the size is the file system to decide', t => {
  const FATTR_SIZE = 1 << 3
  const setsize = (size: number) =>
    request(4, DISK, u32(FATTR_SIZE), u32(0), u64(0), u64(size), new Uint8Array(88 - 24))
  t.deepEqual(ask(setsize(5)), reply(-errno.EPERM))
  t.is(ask(setsize(SIZE))!.length, 120)
  t.deepEqual(ask(setsize(2 ** 60)), reply(-errno.EFBIG))
})

test('OPEN keeps the page cache of the disk, and has status files come through', t => {
  const { fs } = setup()
  const [disk, status] = serve(fs, [open(DISK, O_RDWR), open(STATUS, 0)]).replies
  t.deepEqual(disk, reply(0, u64(1), u32(1 << 1), u32(0)))
  t.deepEqual(status, reply(0, u64(2), u32(1 << 0), u32(0)))
})

test('OPEN without a cache has the disk come through, with parallel writes', t => {
  t.deepEqual(
    ask(open(DISK, O_RDWR), setup().fs, { direct: true }),
    reply(0, u64(1), u32((1 << 0) | (1 << 6)), u32(0)),
  )
})

test('OPEN that is refused is an error', t => {
  t.deepEqual(ask(open(STATUS, O_RDWR)), reply(-errno.EACCES))
})

test('a file whose opener was killed before it got the answer is released', t => {
  const { fs } = setup()
  serve(fs, [open(DISK, O_RDWR)], { delivered: false })
  t.deepEqual(fs.calls, ['open 2', 'release 2 1'])
})

test('READ gives the bytes behind the header, and fewer at the end', t => {
  const { fs, disk } = setup()
  disk.set([1, 2, 3, 4], SIZE - 4)
  t.deepEqual(ask(read(DISK, SIZE - 4, 3), fs), reply(0, Uint8Array.of(1, 2, 3)))
  t.deepEqual(ask(read(DISK, SIZE - 2, 4096), fs), reply(0, Uint8Array.of(3, 4)))
  t.deepEqual(ask(read(DISK, SIZE, 4096), fs), reply(0))
  t.deepEqual(ask(read(DISK, 2 ** 60, 4096), fs), reply(0))
})

test('READ of more than the reply buffer holds is EINVAL, of a MiB is not', t => {
  t.deepEqual(ask(read(DISK, 0, MiB + 1)), reply(-errno.EINVAL))
  t.is(ask(read(DISK, 0, MiB))!.length, 16 + SIZE)
})

test('WRITE puts the bytes that follow the structure', t => {
  const { fs, disk } = setup()
  t.deepEqual(ask(write(1000, Uint8Array.of(7, 8, 9)), fs), reply(0, u32(3), u32(0)))
  t.deepEqual(disk.subarray(999, 1004), Uint8Array.of(0, 7, 8, 9, 0))
})

test('WRITE takes a MiB', t => {
  const fs = new MemoryFileSystem(new SharedArrayBuffer(MiB))
  t.deepEqual(ask(write(0, new Uint8Array(MiB).fill(5)), fs), reply(0, u32(MiB), u32(0)))
})

test('WRITE whose size is not that of its data is EINVAL and changes nothing', t => {
  const { fs, disk } = setup()
  for (const size of [0, 2, 4, 0xffff_ffff]) {
    t.deepEqual(ask(write(0, Uint8Array.of(1, 2, 3), size), fs), reply(-errno.EINVAL))
  }
  t.deepEqual(ask(write(2 ** 60, Uint8Array.of(1)), fs), reply(-errno.EFBIG))
  t.true(disk.every(byte => byte === 0))
})

test('FLUSH, FSYNC and RELEASE reach the file system with their handle', t => {
  const { fs } = setup()
  const flush = request(25, DISK, u64(3), u32(0), u32(0), u64(0))
  const fsync = request(20, DISK, u64(4), u32(1), u32(0))
  const { replies } = serve(fs, [flush, fsync, release(DISK, 0)])
  t.deepEqual(replies, [reply(0), reply(0), reply(0)])
  t.deepEqual(fs.calls, ['flush 2 3', 'sync 2 4', 'release 2 1'])
})

test('READDIR lists all entries, in parts when there is little room', t => {
  const readdir = (offset: number, size: number) =>
    request(28, ROOT, u64(0), u64(offset), u32(size), u32(0), u64(0), u32(0), u32(0))
  const entry = (inode: number, next: number, type: number, name: string) => {
    const padding = new Uint8Array((8 - (name.length % 8)) % 8)
    return pack(u64(inode), u64(next), u32(name.length), u32(type), Buffer.from(name), padding)
  }
  const all = [
    entry(1, 1, 4, '.'),
    entry(1, 2, 4, '..'),
    entry(2, 3, 8, 'disk.raw'),
    entry(3, 4, 4, '.rawmount'),
  ]
  t.deepEqual(ask(readdir(0, 4096)), reply(0, ...all))
  t.deepEqual(ask(readdir(0, 32 + 32 + 31)), reply(0, ...all.slice(0, 2)))
  t.deepEqual(ask(readdir(2, 32)), reply(0, all[2]!))
  t.deepEqual(ask(readdir(4, 4096)), reply(0))
  t.deepEqual(ask(readdir(2 ** 60, 4096)), reply(0))
  t.deepEqual(ask(readdir(0, MiB + 1)), reply(-errno.EINVAL))
})

test('STATFS gives the size of the disk', t => {
  const numbers = [u64(16), u64(0), u64(0), u64(4), u64(0), u32(4096), u32(255), u32(4096), u32(0)]
  t.deepEqual(ask(request(17, ROOT)), reply(0, ...numbers, new Uint8Array(24)))
})

test('FALLOCATE hands mode and range on', t => {
  const { fs, disk } = setup()
  disk.fill(1)
  const fallocate = (mode: number, offset: number, length: number) =>
    request(43, DISK, u64(1), u64(offset), u64(length), u32(mode), u32(0))
  t.deepEqual(ask(fallocate(3, 4096, 8192), fs), reply(0))
  t.deepEqual([disk[4095], disk[4096], disk[12_287], disk[12_288]], [1, 0, 0, 1])
  t.deepEqual(ask(fallocate(0x20, 0, 1), fs), reply(-errno.EOPNOTSUPP))
  t.deepEqual(ask(fallocate(3, 2 ** 60, 1), fs), reply(-errno.EFBIG))
})

test('LSEEK finds data and holes', t => {
  const { fs, disk } = setup()
  disk[8192] = 1
  t.deepEqual(ask(seek(0, 3), fs), reply(0, u64(8192)))
  t.deepEqual(ask(seek(8192, 4), fs), reply(0, u64(12_288)))
  t.deepEqual(ask(seek(SIZE, 3), fs), reply(-errno.ENXIO))
  t.deepEqual(ask(seek(2 ** 60, 3), fs), reply(-errno.ENXIO))
  t.deepEqual(ask(seek(0, 2), fs), reply(-errno.EINVAL))
})

test('while the kernel may keep written data back, LSEEK calls everything data', t => {
  const { fs } = setup()
  const requests = [
    open(DISK, O_RDWR),
    seek(0, 3),
    seek(5, 4),
    seek(SIZE, 3),
    release(DISK, O_RDWR),
    seek(0, 4),
  ]
  const { replies } = serve(fs, requests, { writeback: true })
  t.deepEqual(replies.slice(1, 4), [reply(0, u64(0)), reply(0, u64(SIZE)), reply(-errno.ENXIO)])
  t.deepEqual(replies.at(-1), reply(0, u64(0)))
})

test('FORGET, BATCH_FORGET and INTERRUPT get no answer', t => {
  const { replies } = serve(setup().fs, [
    request(2, DISK, u64(1)),
    request(42, 0, u32(0), u32(0)),
    request(36, 0, u64(4)),
  ])
  t.deepEqual(replies, [])
})

test('what changes the tree is not permitted', t => {
  for (const opcode of [6, 8, 9, 10, 11, 12, 13, 35, 45, 51]) {
    t.deepEqual(ask(request(opcode, ROOT, 'name')), reply(-errno.EPERM), `opcode ${opcode}`)
  }
})

test('every opcode there is gets one answer, but for the four that must get none', t => {
  const none: number[] = [Opcode.FORGET, Opcode.BATCH_FORGET, Opcode.INTERRUPT, Opcode.NOTIFY_REPLY]
  for (const opcode of [...Object.values(Opcode), 0, 7, 19, 53, 4096, 0xffff_ffff]) {
    for (const length of [0, 8, 200]) {
      const { replies } = serve(setup().fs, [request(opcode, DISK, new Uint8Array(length))])
      t.is(replies.length, none.includes(opcode) ? 0 : 1, `opcode ${opcode} with ${length} bytes`)
    }
  }
})

test('opcodes that the kernel can do without us are ENOSYS, once and for all', t => {
  for (const opcode of [21, 22, 23, 24, 31, 32, 33, 34, 37, 40, 44, 47, 50, 52, 9999]) {
    t.deepEqual(ask(request(opcode, DISK)), reply(-errno.ENOSYS), `opcode ${opcode}`)
  }
  t.deepEqual(ask(request(39, DISK, new Uint8Array(32))), reply(-errno.ENOTTY))
})

test('a structure that was cut short is EINVAL', t => {
  for (const opcode of [4, 14, 15, 16, 18, 20, 25, 28, 39, 43, 46]) {
    const { replies } = serve(setup().fs, [request(opcode, DISK), request(opcode, DISK, u32(0))])
    t.deepEqual(replies, [reply(-errno.EINVAL), reply(-errno.EINVAL)], `opcode ${opcode}`)
  }
})

test('a header that lies about the length is EIO, less than a header gets no answer', t => {
  const lying = Buffer.concat([read(DISK, 0, 1), Uint8Array.of(0)])
  const { replies, outcome } = serve(setup().fs, [lying, lying.subarray(0, 39), read(DISK, 0, 1)])
  t.deepEqual(replies, [reply(-errno.EIO), reply(0, Uint8Array.of(0))])
  t.is(outcome, 'unmounted')
})

test('what the file system throws is the errno of that request, and the next is served', t => {
  const { fs } = setup(4096)
  const { replies, totals } = serve(fs, [read(DISK, 4096, 512), read(DISK, 0, 1)])
  t.deepEqual(replies, [reply(-errno.EIO), reply(0, Uint8Array.of(0))])
  t.is(totals.errors, 1)
})

test('that there is no more data, or no such thing as a hole, is an answer and no failure', t => {
  const { fs } = setup()
  t.is(serve(fs, [seek(SIZE, 3), seek(0, 2)]).totals.errors, 0)
  fs.seek = () => {
    throw Object.assign(new Error('the disk is broken'), { errno: errno.EIO })
  }
  t.is(serve(fs, [seek(0, 3)]).totals.errors, 1)
  t.is(serve(fs, [request(15, DISK, u32(0))]).totals.errors, 1)
})

test('an errno that the kernel would refuse becomes EIO', t => {
  const { fs } = setup()
  fs.statistics = () => {
    throw Object.assign(new Error('strange'), { errno: 512 })
  }
  t.deepEqual(ask(request(17, ROOT), fs), reply(-errno.EIO))
})

test('counters tell reads, writes, syncs, others and bytes', t => {
  const fsync = request(20, DISK, u64(4), u32(1), u32(0))
  const requests = [
    read(DISK, 0, 100),
    read(DISK, 0, 50),
    write(0, new Uint8Array(70)),
    fsync,
    request(17, ROOT),
  ]
  t.deepEqual(serve(setup().fs, requests).totals, {
    reads: 2,
    writes: 1,
    syncs: 1,
    others: 1,
    bytesRead: 150,
    bytesWritten: 70,
    errors: 0,
  })
})
