import test from 'ava'
import { ImageError } from '../../src/errors.js'
import { answerInit, type CacheMode } from '../../src/fuse/handshake.js'
import { IoBuffer } from '../../src/libc/io-buffer.js'
import { pack, reply, request, u16, u32 } from './support/message.js'

const ALL = 0xffff_ffff
const MAX_PAGES = 1 << 22
const EXTENDED = 1 << 30
const WRITEBACK = 1 << 16
const WANTED = (1 << 0) | (1 << 5) | (1 << 15) | (1 << 18) | (1 << 21) | MAX_PAGES | EXTENDED

function init(minor: number, flags: number, flags2: number, major = 7, readahead = 131_072) {
  return request(26, 0, u32(major), u32(minor), u32(readahead), u32(flags), u32(flags2), new Uint8Array(44))
}

function answer(message: Uint8Array, cache: CacheMode = 'none') {
  const buffer = new IoBuffer(4096)
  buffer.bytes.fill(0xee)
  buffer.bytes.set(message)
  const negotiated = answerInit(buffer, message.length, cache)
  return { negotiated, bytes: Buffer.from(buffer.bytes.subarray(0, buffer.view.getUint32(0, true))) }
}

/** struct fuse_init_out. */
function initOut(minor: number, flags: number, maxWrite: number, flags2: number) {
  const numbers = [u32(7), u32(minor), u32(131_072), u32(flags), u16(64), u16(48), u32(maxWrite), u32(1)]
  return reply(0, pack(...numbers, u16(256), u16(0), u32(flags2), new Uint8Array(28)))
}

test('a kernel that offers everything gets MiB requests, and no flag that was not asked for', t => {
  const { negotiated, bytes } = answer(init(45, ALL, ALL))
  t.deepEqual(bytes, initOut(38, WANTED, 1024 * 1024, 1 << 4))
  t.is(bytes.length, 80)
  t.deepEqual(negotiated, {
    minor: 38,
    maxWrite: 1024 * 1024,
    maxReadahead: 131_072,
    writeback: false,
    directMaps: true,
  })
})

test('the write-back cache is taken only when asked for', t => {
  t.deepEqual(
    answer(init(38, ALL, ALL), 'writeback').bytes,
    initOut(38, WANTED | WRITEBACK, 1024 * 1024, 1 << 4),
  )
  t.false(answer(init(38, ALL, ALL), 'writethrough').negotiated!.writeback)
})

test('a kernel that offers less is served with less', t => {
  const { negotiated, bytes } = answer(init(31, WANTED & ~MAX_PAGES & ~EXTENDED, ALL), 'writeback')
  t.deepEqual(bytes, initOut(31, WANTED & ~MAX_PAGES & ~EXTENDED, 131_072, 0))
  t.deepEqual(negotiated, {
    minor: 31,
    maxWrite: 131_072,
    maxReadahead: 131_072,
    writeback: false,
    directMaps: false,
  })
})

test('INIT of 16 bytes, from before 7.36, is answered without the second word of flags', t => {
  const old = init(35, ALL, 0).subarray(0, 56)
  t.deepEqual(answer(old).bytes, initOut(35, WANTED & ~EXTENDED, 1024 * 1024, 0))
})

test('read-ahead is never more than a request holds', t => {
  t.is(answer(init(38, ALL, 0, 7, ALL)).negotiated!.maxReadahead, 1024 * 1024)
})

test('a newer major version is asked to begin again', t => {
  const { negotiated, bytes } = answer(init(0, ALL, 0, 8))
  t.is(negotiated, null)
  t.deepEqual(bytes, reply(0, u32(7), u32(38)))
})

test('a kernel that is too old, or begins with something else, is named', t => {
  t.throws(() => answer(init(22, ALL, 0)), { instanceOf: ImageError, message: /FUSE 7\.22, at least 7\.23/ })
  t.throws(() => answer(init(38, ALL, 0, 6)), { instanceOf: ImageError, message: /FUSE 6\.38/ })
  t.throws(() => answer(init(38, ALL, 0).subarray(0, 50)), { instanceOf: ImageError, message: /INIT/ })
  t.throws(() => answer(request(1, 1, 'disk.raw', new Uint8Array(64))), { instanceOf: ImageError })
})
