import { stat } from 'node:fs/promises'
import type { Cleanup } from '../cleanup.js'
import type { Images } from '../images.js'
import { run } from '../program.js'
import type { Filler, FillerFiles, Filling } from './filler.js'
import type { SlowBase } from './slow-base.js'

/** What the measurements of copying have in common. */
export class CopyingBench {
  constructor(
    readonly images: Images,
    readonly base: SlowBase,
    readonly files: FillerFiles,
    private readonly cleanup: Cleanup,
  ) {}

  async create(filler: Filler): Promise<string> {
    const image = this.images.fresh(filler.id)
    await filler.create(image, this.base.path)
    return image
  }

  /** Serves an image until stop() is called, or the run ends, however it does. */
  async serve(filler: Filler, image: string): Promise<Filling> {
    const filling = await filler.serve(image, this.images.fresh('mount'), this.files)
    return { ...filling, stop: this.cleanup.add(() => filling.stop()) }
  }

  /** Nothing of earlier measurements is still on its way to the machine's disk, and nothing was read of the base. */
  async settle(): Promise<void> {
    await run('sync', ['--file-system', this.images.directory])
    await this.base.forget()
  }

  async storedBytes(image: string): Promise<number> {
    return (await stat(image)).blocks * 512
  }
}
