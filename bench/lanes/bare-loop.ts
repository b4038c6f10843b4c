import { fileURLToPath } from 'node:url'
import type { Bench, Lane } from '../bench.js'
import { run } from '../program.js'

const PROGRAM = fileURLToPath(new URL('./bare-loop-main.js', import.meta.url))

/** The copying that allocating writes on a backing file cannot do without, and nothing else. */
export async function bareLoop(bench: Bench): Promise<Lane> {
  const { images, seconds } = bench
  return {
    async measure(round) {
      const copy = images.fresh('raw')
      await images.warm(images.template)
      await bench.settle()
      const rate = await run(process.execPath, [PROGRAM, images.template, copy, `${round + 1}`, `${seconds}`])
      await images.remove(copy)
      return Number(rate)
    },
    close: async () => {},
  }
}
