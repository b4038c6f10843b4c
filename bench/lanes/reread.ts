import { fileURLToPath } from 'node:url'
import type { Bench, Lane } from '../bench.js'
import type { Contender } from '../contenders/contender.js'
import { run } from '../program.js'

const PROGRAM = fileURLToPath(new URL('./reread-main.js', import.meta.url))

/**
 * MB/s of reading the whole disk through the page cache when it was read before. Each pass opens the file anew, as
 * the next program would; fio keeps it open through its loops.
 */
export async function rereads(bench: Bench, contender: Contender): Promise<Lane> {
  const { images, seconds } = bench
  const image = await images.filled(contender)
  await images.warm(image)
  const { path, stop } = await bench.serve(contender, image)
  await images.warm(path)
  return {
    async measure() {
      await bench.settle()
      return Number(await run(process.execPath, [PROGRAM, path, `${seconds}`])) / 1e6
    },
    async close() {
      await images.checkContents(path)
      await stop()
    },
  }
}
