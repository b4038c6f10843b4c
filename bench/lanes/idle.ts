import { performance } from 'node:perf_hooks'
import type { Bench, Lane } from '../bench.js'
import type { Contender } from '../contenders/contender.js'
import { fio } from '../fio.js'
import { processorTime } from '../process-facts.js'
import { sleep } from '../program.js'

/** Milliseconds of processor time in a second without requests, which begins when a burst of them has ended. */
export async function idleProcessorTime(bench: Bench, contender: Contender): Promise<Lane> {
  const { path, pid, stop } = await bench.serve(contender, await bench.images.filled(contender))
  return {
    async measure(round) {
      await fio(
        { rw: 'randread', blockSize: '4k', jobs: 2 },
        { path, direct: contender.direct, seconds: 0.5, seed: round + 1 },
      )
      const start = performance.now()
      const before = processorTime(pid!)
      await sleep(1000)
      return ((processorTime(pid!) - before) * 1000) / (performance.now() - start)
    },
    close: stop,
  }
}
