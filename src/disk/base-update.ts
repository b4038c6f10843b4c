import { Mapping, Where, type WritableDriver } from '../formats/driver.js'
import { IoBuffer } from '../libc/io-buffer.js'
import type { Disk } from './disk.js'

/** Bytes that are moved at a time. */
const PIECE = 1 << 20

/** Contents that differ are found, and written, in pieces of this many bytes: pages of the base. */
const COMPARED = 4096

/**
 * Brings a base up to what the image above it has. What is absent in the image is in the base already. Who calls has a
 * lock that keeps writers out of the range. One object per thread.
 */
export class BaseUpdate {
  private readonly run = new Mapping()
  private mine: IoBuffer | null = null
  private theirs: IoBuffer | null = null

  constructor(
    private readonly image: WritableDriver,
    private readonly base: Disk,
  ) {}

  copy(start: number, end: number): void {
    const { base, image, run } = this
    for (let next = start; next < end; next += run.length) {
      image.map(next, Math.min(PIECE, end - next), run)
      if (run.where === Where.zero) base.zero(next, run.length)
      else if (run.where === Where.data) base.write(next, run.length, this.contents(), 0)
    }
  }

  /** The same, but what is equal is left alone: for when nobody knows what differs. */
  compare(start: number, end: number): void {
    const { base, image, run } = this
    this.theirs ??= new IoBuffer(PIECE)
    for (let next = start; next < end; next += run.length) {
      image.map(next, Math.min(PIECE, end - next), run)
      if (run.where === Where.absent) continue
      base.read(next, run.length, this.theirs, 0)
      if (run.where === Where.data) this.writeDifferent(next, run.length, this.contents(), this.theirs)
      else if (!isZero(this.theirs, run.length)) base.zero(next, run.length)
    }
  }

  private writeDifferent(offset: number, length: number, mine: IoBuffer, theirs: IoBuffer): void {
    for (let from = 0; from < length; ) {
      let to = from
      while (to < length && !isEqual(mine, theirs, to, length)) to += COMPARED
      const end = Math.min(to, length)
      if (end > from) this.base.write(offset + from, end - from, mine, from)
      from = to + (to < length ? COMPARED : 0)
    }
  }

  /** What the image has of the run. */
  private contents(): IoBuffer {
    const { run } = this
    this.mine ??= new IoBuffer(PIECE)
    const got = run.file!.read(this.mine, 0, run.length, run.offset)
    if (got < run.length) this.mine.bytes.fill(0, got, run.length)
    return this.mine
  }
}

function isEqual(mine: IoBuffer, theirs: IoBuffer, at: number, length: number): boolean {
  const end = Math.min(at + COMPARED, length)
  return Buffer.compare(mine.bytes.subarray(at, end), theirs.bytes.subarray(at, end)) === 0
}

function isZero(buffer: IoBuffer, length: number): boolean {
  for (let i = 0; i < length; i++) if (buffer.bytes[i] !== 0) return false
  return true
}
