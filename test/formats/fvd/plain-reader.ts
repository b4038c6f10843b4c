import { closeSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'

/**
 * A second reading of the format, as plain as can be: numbers by their offsets in the file, sector after sector, no
 * journal. What rawmount leaves behind must make sense to a program that knows the format and not rawmount.
 */
export class PlainReader {
  private readonly image: string

  constructor(private readonly directory: string) {
    this.image = join(directory, 'image.fvd')
  }

  get cleanShutdown(): number {
    return this.u32(4300)
  }

  /** "bitmap: 48 blocks; set: 1,16-17; padding bits set: 0"; null without a bitmap. */
  bitmapState(): string | null {
    const size = this.u64(1084)
    if (size === 0) return null
    const blocks = Math.ceil(this.u64(1068) / this.u32(1092))
    const bits = bitsOf(this.bytes(this.u64(1076), size))
    const padding = bits.slice(blocks).filter(bit => bit).length
    return `bitmap: ${blocks} blocks; set: ${runs(bits.slice(0, blocks))}; padding bits set: ${padding}`
  }

  /** "table: 64 entries: 0:0 15:1f; padding all-FF: True", chunk and id in hexadecimal; null of a flat image. */
  tableState(): string | null {
    if (this.u32(2208) === 0) return null
    const chunks = Math.ceil(this.u64(12) / this.u64(2220))
    const entries = words(this.bytes(this.u64(2212), Math.ceil((chunks * 4) / 4096) * 4096))
    const padding = entries.slice(chunks).every(entry => entry === EMPTY)
    const used = [...entries.slice(0, chunks)].flatMap((entry, chunk) =>
      entry === EMPTY ? [] : [`${chunk}:${entry.toString(16)}`],
    )
    const shown = used.join(' ') || '(all empty)'
    return `table: ${chunks} entries: ${shown}; padding all-FF: ${padding ? 'True' : 'False'}`
  }

  /** The whole virtual disk over `base`, of an image that was closed cleanly. */
  disk(base: Uint8Array | null): Buffer {
    const size = this.u64(12)
    const disk = Buffer.alloc(size)
    const dataFile = this.text(1108, 1024)
    const inBase = this.u32(8) === 1 ? 0 : this.u64(1068)
    const blockSize = this.u32(1092)
    const bits = inBase === 0 ? [] : bitsOf(this.bytes(this.u64(1076), this.u64(1084)))
    const place = this.placement(dataFile === '' ? Math.floor(this.u64(20) / 512) * 512 : 0)
    const file = openSync(dataFile === '' ? this.image : join(this.directory, dataFile), 'r')
    for (let at = 0; at < size; at += 512) {
      if (at < inBase && !bits[Math.floor(at / blockSize)]) {
        disk.set(base!.subarray(at, at + 512), at)
      } else {
        const where = place(at)
        if (where !== null) readSync(file, disk, at, 512, where)
      }
    }
    closeSync(file)
    return disk
  }

  /** From an offset of the disk to one of the file; null where nothing is stored. */
  private placement(data: number): (at: number) => number | null {
    if (this.u32(2208) === 0) return at => data + at
    const chunkSize = this.u64(2220)
    const table = words(this.bytes(this.u64(2212), Math.ceil(this.u64(12) / chunkSize) * 4))
    return at => {
      const entry = table[Math.floor(at / chunkSize)]!
      return entry === EMPTY ? null : data + entry * chunkSize + (at % chunkSize)
    }
  }

  private u32(at: number): number {
    return this.bytes(at, 4).readUInt32LE()
  }

  private u64(at: number): number {
    return Number(this.bytes(at, 8).readBigUInt64LE())
  }

  private text(at: number, length: number): string {
    const text = this.bytes(at, length).toString('latin1')
    return text.slice(0, text.indexOf('\0'))
  }

  private bytes(at: number, length: number): Buffer {
    const file = openSync(this.image, 'r')
    const bytes = Buffer.alloc(length)
    const got = readSync(file, bytes, 0, length, at)
    closeSync(file)
    if (got < length) throw new Error(`${this.image} ends within ${at}+${length}`)
    return bytes
  }
}

const EMPTY = 0xffffffff

function words(bytes: Buffer): number[] {
  return Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readUInt32LE(index * 4))
}

function bitsOf(bytes: Buffer): boolean[] {
  return Array.from({ length: bytes.length * 8 }, (_, bit) => ((bytes[bit >> 3]! >> (bit & 7)) & 1) === 1)
}

/** "0-2,7" for the numbers of the bits that are set. */
function runs(bits: readonly boolean[]): string {
  const found: string[] = []
  for (let first = 0; first < bits.length; first++) {
    if (!bits[first]) continue
    let last = first
    while (bits[last + 1]) last++
    found.push(first === last ? `${first}` : `${first}-${last}`)
    first = last
  }
  return found.join(',') || '(none)'
}
