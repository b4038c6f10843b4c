import { readFileSync } from 'node:fs'
import { now } from './clock.js'
import { DirectReader } from './direct-reader.js'
import type { TraceRead } from './trace.js'

/** replay-main FILE TRACE: makes the reads of a trace, and prints of each when it began and how long it took. */
const [file = '', trace = ''] = process.argv.slice(2)
const reads = JSON.parse(readFileSync(trace, 'utf8')) as TraceRead[]
const sleeper = new Int32Array(new SharedArrayBuffer(4))
const disk = new DirectReader(file)
const done = reads.map(({ offset, length, think }) => {
  if (think > 0) Atomics.wait(sleeper, 0, 0, think)
  const at = now()
  return { at, took: disk.read(offset, length) }
})
disk.close()
console.log(JSON.stringify(done))
