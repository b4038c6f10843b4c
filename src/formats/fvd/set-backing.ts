import { roundDown } from '../../bytes.js'
import { ImageError } from '../../errors.js'
import { IoBuffer } from '../../libc/io-buffer.js'
import { PatchedFile } from '../../storage/patched-file.js'
import type { StorageFile } from '../../storage/storage-file.js'
import type { NewBacking } from '../format.js'
import { contradiction } from './contradictions.js'
import { readHeader, readRawHeader } from './header.js'
import { HEADER_END, type RawHeader, SECTOR } from './layout.js'
import { rewriteHeader } from './rewrite.js'
import { fileName, formatName } from './settings.js'

/**
 * Name and format of the base lie in different sectors, so they cannot change as one. Where a probe tells the format of
 * both bases right, there is a way in single sectors, each of which leaves a header that is right:
 *
 *   1. base_img_size, when the new base is shorter: what it cuts off is in the image, so it fits the old base, too
 *   2. base_img_fmt becomes empty: the old base is probed
 *   3. base_img: the new base is probed
 *   4. base_img_fmt
 *
 * with a barrier after each. Else, and for names so long that they span sectors, a cut may leave a name that leads nowhere,
 * by the rules of rewrite.ts.
 *
 * @see Format.setBacking
 */
export function setBacking(file: StorageFile, backing: NewBacking | null): void {
  const before = readRawHeader(file)
  for (const step of planSteps(file, before, backing)) rewriteHeader(file, step)
  clearBitsBehind(file, before)
}

/** @see Format.checkBacking */
export function checkBacking(file: StorageFile, backing: NewBacking | null): void {
  planSteps(file, readRawHeader(file), backing)
}

function planSteps(file: StorageFile, before: RawHeader, backing: NewBacking | null): Partial<RawHeader>[] {
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
  const changes = readNames(backing, refuse)
  const fault = contradiction({ ...before, ...changes }, ['base_img'])
  if (fault !== null) throw refuse(fault)
  const steps = stepsTo(before, changes, backing)
  // What the header will be must open.
  const trial = new PatchedFile(file, HEADER_END)
  for (const step of steps) rewriteHeader(trial, step)
  readHeader(trial)
  return steps
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

function stepsTo(before: RawHeader, names: Names, { size, isProbeSafe }: NewBacking): Partial<RawHeader>[] {
  const steps: Partial<RawHeader>[] = []
  if (size !== null && size < before.base_img_size) steps.push({ base_img_size: roundDown(size, SECTOR) })
  const { base_img, base_img_fmt } = names
  if (before.base_img_fmt === base_img_fmt || !isProbeSafe) return [...steps, names]
  return [...steps, { base_img_fmt: '' }, { base_img }, { base_img_fmt }]
}
