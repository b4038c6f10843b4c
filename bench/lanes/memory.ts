import type { Bench, Lane } from '../bench.js'
import type { Contender } from '../contenders/contender.js'
import { checkImage } from '../evidence.js'
import { fio } from '../fio.js'
import { residentMiB } from '../process-facts.js'

const TiB = 2 ** 40

/** MiB that the serving process had resident at most, while a sparse disk of 1 TiB was read and written at random. */
export async function residentMemory(bench: Bench, contender: Contender): Promise<Lane> {
  const { images } = bench
  return {
    async measure(round) {
      const image = await images.empty(contender, TiB)
      const { path, pid, stop } = await bench.serve(contender, image)
      await fio(
        { rw: 'randrw', blockSize: '4k', jobs: 4 },
        { path, direct: contender.direct, seconds: bench.seconds * 2, seed: round + 1 },
      )
      const resident = residentMiB(pid!, 'VmHWM')
      await stop()
      if (checkImage(image, contender) === 0) throw new Error(`${contender.id}: the writes allocated nothing`)
      await images.remove(image)
      return resident
    },
    close: async () => {},
  }
}
