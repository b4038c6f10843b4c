import { closeSync, openSync, readSync } from 'node:fs'
import { open, truncate, writeFile } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import type { ExecutionContext } from 'ava'
import type { DiskBytes } from '../../../src/partitions/table.js'
import { scratch } from '../../support/mounting.js'
import { run, told } from '../../support/tools.js'

export const MiB = 1024 * 1024

/** The path of a new file of `size` zeros, on which `sfdisk` was given the script. */
export async function partitioned(t: ExecutionContext, size: number, script: string): Promise<string> {
  const path = await blank(t, size)
  await sfdisk(path, script)
  return path
}

export async function blank(t: ExecutionContext, size: number): Promise<string> {
  const path = (await scratch(t)).join('disk')
  await writeFile(path, '')
  await truncate(path, size)
  return path
}

/** Has sfdisk write the table that the script describes. */
export async function sfdisk(path: string, script: string, ...options: string[]): Promise<void> {
  const args = ['--no-reread', '--no-tell-kernel', '--wipe', 'never', '--quiet', ...options, path]
  told('sfdisk', args, await run('sfdisk', args, { input: script }))
}

/** The file as a disk that is read; closed at the end of the test. */
export function diskOf(t: ExecutionContext, path: string, size: number): DiskBytes {
  const fd = openSync(path, 'r')
  t.teardown(() => closeSync(fd))
  return {
    size,
    read(offset, length) {
      if (offset < 0 || offset + length > size) throw new RangeError(`read of ${length} bytes at ${offset}`)
      const bytes = new Uint8Array(length)
      readSync(fd, bytes, 0, length, offset)
      return bytes
    },
  }
}

/** Writes bytes into a file. */
export async function put(
  path: string,
  offset: number,
  bytes: Uint8Array | readonly number[],
): Promise<void> {
  const file = await open(path, 'r+')
  await file.write(Uint8Array.from(bytes), 0, bytes.length, offset)
  await file.close()
}

/** A disk in memory, all zeros but for what the pieces say. */
export function diskInMemory(size: number, pieces: readonly (readonly [number, Uint8Array])[]): DiskBytes {
  return {
    size,
    read(offset, length) {
      if (offset < 0 || offset + length > size) throw new RangeError(`read of ${length} bytes at ${offset}`)
      if (length > 2 * MiB) throw new RangeError(`${length} bytes at once`)
      const bytes = new Uint8Array(length)
      for (const [at, piece] of pieces) {
        const from = Math.max(0, offset - at)
        const part = piece.subarray(from, Math.max(from, offset + length - at))
        if (part.length > 0) bytes.set(part, at + from - offset)
      }
      return bytes
    },
  }
}

/** A boot record with these entries: flag, type, start, sectors. */
export function bootRecord(...entries: readonly (readonly [number, number, number, number])[]): Uint8Array {
  const sector = Buffer.alloc(512)
  entries.forEach(([flag, type, start, sectors], index) => {
    const at = 446 + 16 * index
    sector[at] = flag
    sector[at + 4] = type
    sector.writeUInt32LE(start, at + 8)
    sector.writeUInt32LE(sectors, at + 12)
  })
  sector.writeUInt16LE(0xaa55, 510)
  return sector
}

/** The header of a GPT with fields changed by `change`, and its checksum made right again. */
export function gptHeader(header: Uint8Array, change: (header: Buffer) => void): Buffer {
  const changed = Buffer.from(header)
  change(changed)
  changed.writeUInt32LE(0, 16)
  changed.writeUInt32LE(crc32(changed.subarray(0, Math.min(changed.readUInt32LE(12), changed.length))), 16)
  return changed
}
