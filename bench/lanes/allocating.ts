import { rm, writeFile } from 'node:fs/promises'
import type { Bench, Lane } from '../bench.js'
import type { Contender } from '../contenders/contender.js'
import { fio } from '../fio.js'
import { CLUSTER, checkImage } from '../images.js'
import { allocatingOffsets, replayLog } from '../pattern.js'

const GiB = 2 ** 30

/** Clusters enough that nobody runs out of them in the time. */
const EMPTY_SIZE = 8 * GiB

export interface Allocating {
  /** On the template as backing file: each write copies a cluster from it. */
  readonly backed: boolean
  /** An fsync at the end, in the measured time. */
  readonly endFsync?: boolean
}

/** Random 4 KiB writes that allocate a cluster each, into an image that is new in every round. */
export async function allocating(
  bench: Bench,
  contender: Contender,
  { backed, endFsync = false }: Allocating,
): Promise<Lane> {
  const { images } = bench
  const size = backed ? images.size : EMPTY_SIZE
  return {
    async measure(round) {
      const image = backed ? await images.overlay() : await images.empty(contender, size)
      if (backed) await images.warm(images.template)
      const { path, stop } = await bench.serve(contender, image)
      const replay = images.fresh('log')
      await writeFile(replay, replayLog(path, allocatingOffsets(round + 1, size, CLUSTER)))
      await bench.settle()
      const { iops, operations } = await fio(
        { rw: 'randwrite', blockSize: '4k', replay, endFsync },
        { path, direct: contender.direct, seconds: bench.seconds, seed: round + 1 },
      )
      await stop()
      if (contender.format === 'qed') {
        const clusters = await checkImage(image)
        if (clusters < operations)
          throw new Error(`${contender.id}: ${operations} writes allocated ${clusters} clusters`)
      }
      await images.remove(image)
      await rm(replay)
      return iops
    },
    close: async () => {},
  }
}
