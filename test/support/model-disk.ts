import { describeWord, type Origin, pattern, SECTOR } from './pattern.js'
import { SparseBytes } from './sparse-bytes.js'

/**
 * What a guest disk must show, and what it may show after a power cut: for each sector, what stood there at the
 * last flush that returned, or anything written since. A sector never mixes two of those.
 *
 * A flush that nobody asked for (a timer, a full cache) makes more durable, which this allows already.
 */
export class ModelDisk {
  private current = new SparseBytes()
  /** Of each sector changed since the last flush: every content it had, the durable one first. */
  private readonly unsettled = new Map<number, Uint8Array[]>()

  constructor(readonly size: number) {
    this.current.truncate(size)
  }

  /** A disk that shows `base` where nothing is written, and zeros beyond the end of a shorter base. */
  static over(base: ModelDisk, size: number): ModelDisk {
    const disk = new ModelDisk(size)
    disk.current = base.current.clone()
    disk.current.truncate(Math.min(size, base.size))
    disk.current.truncate(size)
    return disk
  }

  /** Records a write of the pattern of `version`, and returns the bytes to write. */
  write(offset: number, length: number, version: number, origin: Origin = 0): Uint8Array {
    const bytes = pattern(offset, length, version, origin)
    this.change(offset, length, () => this.current.write(offset, bytes))
    return bytes
  }

  zero(offset: number, length: number): void {
    this.change(offset, length, () => this.current.zero(offset, length))
  }

  /** A flush returned: what is shown now is the least that must survive. */
  flush(): void {
    this.unsettled.clear()
  }

  bytes(offset: number, length: number): Uint8Array {
    return this.current.bytes(offset, length)
  }

  isZero(offset: number, length: number): boolean {
    return this.current.isZero(offset, length)
  }

  /** Offset and length of all that was written and not flushed, in sectors that touch each other. */
  unflushed(): { offset: number; length: number }[] {
    const ranges: { offset: number; length: number }[] = []
    for (const sector of [...this.unsettled.keys()].sort((a, b) => a - b)) {
      const last = ranges.at(-1)
      if (last !== undefined && last.offset + last.length === sector * SECTOR) last.length += SECTOR
      else ranges.push({ offset: sector * SECTOR, length: SECTOR })
    }
    for (const range of ranges) range.length = Math.min(range.length, this.size - range.offset)
    return ranges
  }

  /** What is wrong with `got`, read at `offset`; null when nothing is. */
  compare(got: Uint8Array, offset: number): string | null {
    return difference(this.bytes(offset, got.length), got, offset)
  }

  /**
   * As compare(), after a power cut or a call that failed: each sector may also show an older content since the
   * last flush. What is shown now is from then on what must be shown; call flush() when it is durable, too.
   */
  adopt(got: Uint8Array, offset: number): string | null {
    const end = offset + got.length
    for (const [sector, contents] of this.unsettled) {
      const from = Math.max(sector * SECTOR, offset)
      const to = Math.min((sector + 1) * SECTOR, this.size, end)
      if (from >= to) continue
      const seen = got.subarray(from - offset, to - offset)
      const start = sector * SECTOR
      const match = contents.find(
        content => Buffer.compare(content.subarray(from - start, to - start), seen) === 0,
      )
      if (match === undefined) continue
      this.current.write(start, match)
      contents.push(match)
    }
    return this.compare(got, offset)
  }

  clone(): ModelDisk {
    const copy = new ModelDisk(this.size)
    copy.current = this.current.clone()
    for (const [sector, contents] of this.unsettled) copy.unsettled.set(sector, [...contents])
    return copy
  }

  private change(offset: number, length: number, apply: () => void): void {
    if (offset + length > this.size) throw new RangeError(`${offset}+${length} on a disk of ${this.size}`)
    if (length === 0) return
    const first = Math.floor(offset / SECTOR)
    const last = Math.ceil((offset + length) / SECTOR)
    for (let sector = first; sector < last; sector++) {
      if (!this.unsettled.has(sector)) this.unsettled.set(sector, [this.sector(sector)])
    }
    apply()
    for (let sector = first; sector < last; sector++) this.unsettled.get(sector)!.push(this.sector(sector))
  }

  private sector(sector: number): Uint8Array {
    return this.bytes(sector * SECTOR, Math.min(SECTOR, this.size - sector * SECTOR))
  }
}

/** Names the first word that differs, and how far the difference goes. */
export function difference(expected: Uint8Array, got: Uint8Array, offset: number): string | null {
  if (expected.length !== got.length) return `${got.length} bytes instead of ${expected.length}`
  if (Buffer.compare(expected, got) === 0) return null
  const at = expected.findIndex((byte, index) => byte !== got[index])
  const sectors = new Set<number>()
  for (let index = at; index < got.length; index++) {
    if (expected[index] !== got[index]) sectors.add(Math.floor((offset + index) / SECTOR))
  }
  const word = Math.max(0, at - ((offset + at) % 8))
  const shown = describeWord(got.slice(word, word + 8), offset + word)
  const wanted = describeWord(expected.slice(word, word + 8), offset + word)
  const where = `byte ${offset + at} (sector ${Math.floor((offset + at) / SECTOR)})`
  return `${where} shows ${shown}, must show ${wanted}; ${sectors.size} sectors differ from there on`
}
