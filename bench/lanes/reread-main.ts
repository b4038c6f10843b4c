import { closeSync, openSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { read } from '../../src/libc/files.js'
import { IoBuffer } from '../../src/libc/io-buffer.js'

/** reread-main FILE SECONDS: opens, reads to the end, closes, over and over. Prints bytes per second. */
const [file = '', seconds] = process.argv.slice(2)
const buffer = new IoBuffer(1 << 20)
const start = performance.now()
const deadline = start + Number(seconds) * 1000
let done = 0
while (performance.now() < deadline) {
  const descriptor = openSync(file, 'r')
  for (;;) {
    const got = read(descriptor, buffer.address, buffer.length)
    if (got < 0) throw new Error(`${file}: read failed`)
    if (got === 0) break
    done += got
  }
  closeSync(descriptor)
}
console.log((done * 1000) / (performance.now() - start))
