import { sleep } from '../program.js'
import { now } from './clock.js'
import type { CopyingBench } from './copying-bench.js'
import { mount, rawmountNothing } from './rawmount-fillers.js'
import { FAST } from './speed.js'

/** What --prefetch-rate is set to, bytes per second. */
export const LIMITS = [10e6, 50e6] as const

/** Milliseconds: the first pieces, and then what is measured. */
const BEGINNING = 500
const MEASURED = 4000

/** Bytes per second that a limited prefetch takes from a base that would give more, counted there. */
export async function measuredRate(bench: CopyingBench, limit: number): Promise<number> {
  const { base, images } = bench
  const image = await bench.create(rawmountNothing)
  await base.set(FAST)
  const filler = { ...rawmountNothing, serve: mountLimited(limit) }
  const filling = await bench.serve(filler, image)
  await sleep(BEGINNING)
  await base.forget()
  const began = now()
  await sleep(MEASURED)
  const bytes = await base.bytesRead()
  const took = now() - began
  if (await filling.isComplete()) throw new Error('all was fetched before the rate was measured; see --size')
  await filling.stop()
  await images.remove(image)
  return (bytes * 1000) / took
}

function mountLimited(limit: number) {
  const options = ['--copy-on-read=off', '--prefetch=on', `--prefetch-rate=${limit}`]
  return (image: string, place: string) => mount(image, place, options)
}
