import type { Bench, Lane } from '../bench.js'
import type { Contender } from '../contenders/contender.js'

/** Milliseconds until the command that mounts returns; `size` bytes of disk, null for the full image. */
export async function mountTime(bench: Bench, contender: Contender, size: number | null): Promise<Lane> {
  const { images } = bench
  const image = size === null ? await images.filled(contender) : await images.empty(contender, size)
  return {
    async measure() {
      await bench.settle()
      const { startTime, stop } = await bench.serve(contender, image)
      await stop()
      return startTime * 1000
    },
    async close() {
      if (size !== null) await images.remove(image)
    },
  }
}
