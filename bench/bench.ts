import type { Cleanup } from './cleanup.js'
import type { Contender, Served } from './contenders/contender.js'
import type { Images } from './images.js'
import { run } from './program.js'

/** What every measurement of a run has in common. */
export class Bench {
  constructor(
    readonly images: Images,
    /** Of one measurement, where it takes as long as one lets it. */
    readonly seconds: number,
    private readonly cleanup: Cleanup,
  ) {}

  /** Serves an image until stop() is called, or the run ends, however it does. */
  async serve(contender: Contender, image: string): Promise<Served> {
    const served = await contender.serve(image, this.images.fresh('mount'))
    return { ...served, stop: this.cleanup.add(() => served.stop()) }
  }

  /** Nothing of earlier measurements is still on its way to the machine's disk. */
  async settle(): Promise<void> {
    await run('sync', ['--file-system', this.images.directory])
  }
}

/** One contender's side of a workload: opened before the first round, closed after the last. */
export interface Lane {
  measure(round: number): Promise<number>
  /** Throws when the contender did not do what it was measured for. */
  close(): Promise<void>
}
