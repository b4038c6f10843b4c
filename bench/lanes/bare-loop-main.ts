import { closeSync, openSync, statSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { roundDown } from '../../src/bytes.js'
import { pread, pwrite } from '../../src/libc/files.js'
import { IoBuffer } from '../../src/libc/io-buffer.js'
import { allocatingOffsets, BLOCK, CLUSTER } from '../pattern.js'

/**
 * bare-loop-main BASE COPY SEED SECONDS: for each block of the pattern, reads its cluster from BASE, changes the block,
 * and appends the cluster to COPY. Prints clusters per second.
 */
const [base = '', copy = '', seed, seconds] = process.argv.slice(2)
const offsets = allocatingOffsets(Number(seed), statSync(base).size, CLUSTER)
const buffer = new IoBuffer(CLUSTER)
const from = openSync(base, 'r')
const to = openSync(copy, 'wx')
const start = performance.now()
const deadline = start + Number(seconds) * 1000
let done = 0
for (const offset of offsets) {
  const cluster = roundDown(offset, CLUSTER)
  if (pread(from, buffer.address, CLUSTER, cluster) !== CLUSTER) throw new Error(`${base}: short read`)
  buffer.bytes.fill(done, offset - cluster, offset - cluster + BLOCK)
  if (pwrite(to, buffer.address, CLUSTER, done * CLUSTER) !== CLUSTER) throw new Error(`${copy}: short write`)
  done++
  if (performance.now() >= deadline) break
}
const elapsed = (performance.now() - start) / 1000
closeSync(from)
closeSync(to)
console.log(done / elapsed)
