import { Random } from '../../test/support/random.js'
import { BLOCK } from '../pattern.js'
import { now } from './clock.js'
import { DirectReader } from './direct-reader.js'

/** random-reads-main FILE SEED FROM TO SECONDS: reads blocks at random, and prints the milliseconds of each. */
const [file = '', seed, from, to, seconds] = process.argv.slice(2)
const random = new Random(Number(seed))
const [first, end] = [Number(from) / BLOCK, Number(to) / BLOCK]
const disk = new DirectReader(file)
const times: number[] = []
for (const deadline = now() + Number(seconds) * 1000; now() < deadline; ) {
  times.push(disk.read((first + random.below(end - first)) * BLOCK, BLOCK))
}
disk.close()
console.log(JSON.stringify(times.map(time => Math.round(time * 1000) / 1000)))
