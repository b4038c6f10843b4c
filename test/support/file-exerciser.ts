import { closeSync, constants, fdatasyncSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs'
import { failed } from '../../src/libc/errno.js'
import {
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  FALLOC_FL_ZERO_RANGE,
  fallocate,
  pread,
  pwrite,
} from '../../src/libc/files.js'
import { IoBuffer } from '../../src/libc/io-buffer.js'
import { declare } from '../../src/libc/library.js'
import { MappedFile } from './mapped-file.js'
import { difference } from './model-disk.js'
import { fillPattern } from './pattern.js'
import { Random } from './random.js'

/**
 * Does at random to one file what programs do to files (read and write, buffered, O_DIRECT and through shared memory,
 * punch holes, zero, truncate, flush, open again, drop the cache), and compares what it reads with what it wrote.
 * After the first difference it prints the steps that led to it, and ends with 1. In the spirit of fsx.
 *
 *   node file-exerciser.js FILE SEED STEPS OFFSET LENGTH direct|buffered zeroing|plain
 *
 * OFFSET and LENGTH name the part of the file that is used; both are multiples of 4096. It must read as zeros.
 */
const [path = '', seed = '', steps = '', from = '', size = '', directly = '', zeroing = ''] =
  process.argv.slice(2)
const OFFSET = Number(from)
const LENGTH = Number(size)
const PAGE = 4096
const LONGEST = Math.min(256 * 1024, LENGTH)

const fadvise = declare('int posix_fadvise(int fd, int64_t offset, int64_t length, int advice)')
const POSIX_FADV_DONTNEED = 4

const random = new Random(Number(seed))
const model = new Uint8Array(LENGTH)
const history: string[] = []
let version = 0

let fd = openSync(path, 'r+')
let direct = openDirect()
let map = new MappedFile(fd, OFFSET, LENGTH)

/** Memory at a page's start, as O_DIRECT wants it. */
const memory = new IoBuffer(LONGEST + PAGE)
const aligned = (PAGE - (memory.address % PAGE)) % PAGE

function openDirect(): number {
  return directly === 'direct' ? openSync(path, constants.O_RDWR | constants.O_DIRECT) : -1
}

function fresh(at: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  version = (version % 0xffffff) + 1
  fillPattern(bytes, OFFSET + at, version, 0)
  model.set(bytes, at)
  return bytes
}

function compare(at: number, got: Uint8Array): void {
  const wrong = difference(model.subarray(at, at + got.length), got, OFFSET + at)
  if (wrong !== null) throw new Error(wrong)
}

function zero(mode: number, at: number, length: number): void {
  if (fallocate(fd, mode | FALLOC_FL_KEEP_SIZE, OFFSET + at, length) !== 0) throw failed('fallocate', path)
  model.fill(0, at, at + length)
}

function readDirect(at: number, length: number): void {
  const got = pread(direct, memory.address + aligned, length, OFFSET + at)
  if (got !== length) throw got < 0 ? failed('pread', path) : new Error(`O_DIRECT read gave ${got} bytes`)
  compare(at, memory.bytes.subarray(aligned, aligned + length))
}

function writeDirect(at: number, length: number): void {
  memory.bytes.set(fresh(at, length), aligned)
  const got = pwrite(direct, memory.address + aligned, length, OFFSET + at)
  if (got !== length) throw got < 0 ? failed('pwrite', path) : new Error(`O_DIRECT write took ${got} bytes`)
}

function refuseTruncate(): void {
  try {
    ftruncateSync(fd, OFFSET + Math.floor(LENGTH / 2) + 512)
  } catch {
    return
  }
  throw new Error('truncate was not refused')
}

function reopen(): void {
  map.close()
  for (const open of [fd, direct]) if (open >= 0) closeSync(open)
  fd = openSync(path, 'r+')
  direct = openDirect()
  map = new MappedFile(fd, OFFSET, LENGTH)
}

type Step = (at: number, length: number) => void

const read: Step = (at, length) => {
  const got = new Uint8Array(length)
  if (readSync(fd, got, 0, length, OFFSET + at) !== length) throw new Error('short read')
  compare(at, got)
}
const write: Step = (at, length) => {
  const bytes = fresh(at, length)
  if (writeSync(fd, bytes, 0, length, OFFSET + at) !== length) throw new Error('short write')
}

const anywhere: Record<string, Step> = {
  read,
  write,
  'map-read': (at, length) => compare(at, map.read(at, length)),
  'map-write': (at, length) => map.write(at, fresh(at, length)),
  ...(zeroing === 'zeroing' && {
    punch: (at, length) => zero(FALLOC_FL_PUNCH_HOLE, at, length),
    zero: (at, length) => zero(FALLOC_FL_ZERO_RANGE, at, length),
  }),
}
const onPages: Record<string, Step> =
  direct < 0 ? {} : { 'direct-read': readDirect, 'direct-write': writeDirect }
const withoutRange: Record<string, () => void> = {
  truncate: refuseTruncate,
  flush: () => fdatasyncSync(fd),
  'map-flush': () => map.sync(),
  reopen,
  'drop-cache': () => {
    fdatasyncSync(fd)
    fadvise(fd, 0, 0, POSIX_FADV_DONTNEED)
  },
}

function step(): void {
  if (random.chance(0.08)) {
    const name = random.pick(Object.keys(withoutRange))
    history.push(name)
    withoutRange[name]!()
    return
  }
  const paged = direct >= 0 && random.chance(0.35)
  const grid = paged ? PAGE : random.pick([PAGE, 512, 1])
  const choices = paged ? onPages : anywhere
  const name = random.pick(Object.keys(choices))
  const at = Math.floor(random.below(LENGTH) / grid) * grid
  const longest = Math.min(random.chance(0.2) ? LONGEST : 3 * PAGE, LENGTH - at)
  const length = Math.max(grid, Math.floor((random.below(longest) + 1) / grid) * grid)
  if (at + length > LENGTH) return
  history.push(`${name} ${OFFSET + at}+${length}`)
  choices[name]!(at, length)
}

try {
  for (let count = Number(steps); count > 0; count--) step()
  for (const last of [() => {}, reopen, withoutRange['drop-cache']!]) {
    history.push('read everything')
    last()
    for (let at = 0; at < LENGTH; at += LONGEST) read(at, Math.min(LONGEST, LENGTH - at))
  }
} catch (error) {
  process.stderr.write(
    `step ${history.length}: ${(error as Error).message}\n  ${history.slice(-40).join('\n  ')}\n`,
  )
  process.exitCode = 1
}
