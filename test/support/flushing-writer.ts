import { fdatasyncSync, openSync, writeSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { pattern } from './pattern.js'

/**
 * Writes batches of blocks all over a disk, flushes after each, and then says its number on stdout: what was said
 * must survive everything. No block is written twice, so what is on the disk can be told batch by batch.
 *
 *   node flushing-writer.js FILE DISK-SIZE FIRST-BATCH
 */
export const BLOCK = 4096
const BLOCKS_IN_BATCH = 8
/** Prime, and no factor of any power of two: steps through all blocks before it meets the first again. */
const STRIDE = 7919

export function lastBatch(diskSize: number): number {
  return Math.floor(diskSize / BLOCK / BLOCKS_IN_BATCH) - 1
}

/** Offset and content of each block of a batch. */
export function batch(number: number, diskSize: number): { offset: number; bytes: Uint8Array }[] {
  const blocks = diskSize / BLOCK
  return Array.from({ length: BLOCKS_IN_BATCH }, (_, index) => {
    const offset = (((number * BLOCKS_IN_BATCH + index) * STRIDE) % blocks) * BLOCK
    return { offset, bytes: pattern(offset, BLOCK, number + 1, 0) }
  })
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [path = '', size = '', first = ''] = process.argv.slice(2)
  const diskSize = Number(size)
  const fd = openSync(path, 'r+')
  for (let number = Number(first); number <= lastBatch(diskSize); number++) {
    for (const { offset, bytes } of batch(number, diskSize)) writeSync(fd, bytes, 0, BLOCK, offset)
    fdatasyncSync(fd)
    writeSync(1, `${number}\n`)
  }
}
