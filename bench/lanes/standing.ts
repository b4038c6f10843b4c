import type { Bench, Lane } from '../bench.js'
import type { Contender } from '../contenders/contender.js'
import { checkImage, checkProof, writeProof } from '../evidence.js'
import { type FioJob, type FioResult, fio } from '../fio.js'
import { run } from '../program.js'

/** A full image that is served through all rounds. */
export async function standing(
  bench: Bench,
  contender: Contender,
  job: FioJob,
  value: (result: FioResult) => number,
): Promise<Lane> {
  const { images } = bench
  const image = await images.filled(contender)
  await images.warm(image)
  const { path, stop } = await bench.serve(contender, image)
  const writes = job.rw === 'write' || job.rw === 'randwrite'
  return {
    async measure(round) {
      if (writes) await run('sync', [path])
      await bench.settle()
      return value(
        await fio(job, { path, direct: contender.direct, seconds: bench.seconds, seed: round + 1 }),
      )
    },
    async close() {
      if (writes) await writeProof(path, images.size)
      else await images.checkContents(path)
      await stop()
      if (writes) await checkProof(image, contender, images.size)
      checkImage(image, contender)
    },
  }
}
