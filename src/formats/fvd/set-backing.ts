import { roundDown } from '../../bytes.js'
import { ImageError } from '../../errors.js'
import { IoBuffer } from '../../libc/io-buffer.js'
import { PatchedFile } from '../../storage/patched-file.js'
import type { StorageFile } from '../../storage/storage-file.js'
import type { NewBacking } from '../format.js'
import { contradiction } from './contradictions.js'
import { readHeader, readRawHeader } from './header.js'
import { switchHeader } from './header-switch.js'
import { HEADER_AREA, type RawHeader, SECTOR } from './layout.js'
import { fileName, formatName } from './settings.js'

/**
 * Name, format and length of the base lie in different sectors, and change in one step (header-switch.ts).
 *
 * @see Format.setBacking
 */
export function setBacking(file: StorageFile, backing: NewBacking | null): void {
  const before = readRawHeader(file)
  switchHeader(file, plan(file, before, backing))
  clearBitsBehind(file, before)
}

/** @see Format.checkBacking */
export function checkBacking(file: StorageFile, backing: NewBacking | null): void {
  plan(file, readRawHeader(file), backing)
}

function plan(file: StorageFile, before: RawHeader, backing: NewBacking | null): Partial<RawHeader> {
  const refuse = (what: string, cause?: unknown) =>
    new ImageError('INVALID', `${file.path}: ${what}`, cause === undefined ? {} : { cause })
  if (before.all_data_in_fvd_img === 1 || before.base_img === '') {
    throw refuse(
      'needs no base, and has no bitmap by which it could stand on one; make a new image on that base with "rawmount create -b"',
    )
  }
  if (backing === null) {
    throw refuse(
      'what is still in the base would be lost, and could show as anything; leave out -u, and it is copied first',
    )
  }
  const changes = { ...readNames(backing, refuse), ...readSize(backing, before) }
  const fault = contradiction({ ...before, ...changes }, ['base_img'])
  if (fault !== null) throw refuse(fault)
  // What the header will be must open.
  const trial = new PatchedFile(file, HEADER_AREA)
  switchHeader(trial, changes)
  readHeader(trial)
  return changes
}

/** Those of a bitmap that has become shorter, which nobody looks at any more. */
function clearBitsBehind(file: StorageFile, before: RawHeader): void {
  const { base_img_size: size, bitmap_offset: offset, block_size: blockSize } = readRawHeader(file)
  if (size === before.base_img_size) return
  const blocks = Math.ceil(size / blockSize)
  const whole = Math.floor(blocks / 8)
  const end = Math.ceil(before.base_img_size / blockSize / 8)
  const first = new IoBuffer(1)
  file.read(first, 0, 1, offset + whole)
  first.bytes[0]! &= (1 << (blocks % 8)) - 1
  file.write(first, 0, 1, offset + whole)
  if (end > whole + 1) file.zero(offset + whole + 1, end - whole - 1)
  file.sync()
}

type Names = Pick<RawHeader, 'base_img' | 'base_img_fmt'>

function readNames(
  { name, format }: NewBacking,
  refuse: (what: string, cause: unknown) => ImageError,
): Names {
  try {
    return { base_img: fileName(name), base_img_fmt: formatName(format ?? '') }
  } catch (cause) {
    throw refuse(`the name of the base, or its format, ${(cause as Error).message}`, cause)
  }
}

/** What a shorter base cuts off is in the image. */
function readSize({ size }: NewBacking, { base_img_size: before }: RawHeader): Partial<RawHeader> {
  return size !== null && size < before ? { base_img_size: roundDown(size, SECTOR) } : {}
}
