import { RAWMOUNT, run, timed } from '../program.js'
import { waitUntilComplete } from './boot.js'
import { now } from './clock.js'
import type { CopyingBench } from './copying-bench.js'
import { qemuStream } from './qemu-fillers.js'
import { rawmountNothing } from './rawmount-fillers.js'

/** Brings all of a base, which is in the page cache, to a new file on the same file system. */
interface Mover {
  readonly label: string
  /** What is there before the clock starts. */
  prepare(target: string, base: string): Promise<void>
  /** Returns seconds. */
  move(target: string, base: string, bench: CopyingBench): Promise<number>
}

export type MoverId = 'cp' | 'prefetch' | 'qemu-stream'

/** In the order in which they take their turns. */
export const MOVERS: Readonly<Record<MoverId, Mover>> = {
  cp: {
    label: 'cp',
    prepare: async () => {},
    move: (target, base) => timed('cp', ['--sparse=never', base, target]),
  },
  prefetch: {
    label: 'rawmount prefetch',
    prepare: (target, base) => rawmountNothing.create(target, base),
    move: target => timed(process.execPath, [RAWMOUNT, 'prefetch', '-q', target]),
  },
  'qemu-stream': {
    label: 'QEMU, block-stream',
    prepare: (target, base) => qemuStream.create(target, base),
    async move(target, _base, bench) {
      const began = now()
      const filling = await bench.serve(qemuStream, target)
      await waitUntilComplete(filling, 'qemu-stream')
      await filling.stop()
      return (now() - began) / 1000
    },
  },
}

export const MOVER_IDS = Object.keys(MOVERS) as MoverId[]

/**
 * Bytes per second from the start of the command until it has ended and a sync of the file has, too: who ends with all
 * of it durable waits there for nothing, and who leaves that to others for all of it.
 */
export async function moveAll(bench: CopyingBench, id: MoverId): Promise<number> {
  const { images } = bench
  const { prepare, move } = MOVERS[id]
  const target = images.fresh(id)
  await prepare(target, images.template)
  await images.warm(images.template)
  await images.makeRoom()
  await run('sync', ['--file-system', images.directory])
  const seconds = await move(target, images.template, bench)
  const durable = await timed('sync', [target])
  if (id === 'prefetch') await checkIndependent(target)
  await images.remove(target)
  return images.size / (seconds + durable)
}

/** Throws unless an image has no need of its base any more. */
async function checkIndependent(image: string): Promise<void> {
  const output = await run(process.execPath, [RAWMOUNT, 'map', '--output=json', image])
  const extents = JSON.parse(output) as { depth: number }[]
  if (extents.some(({ depth }) => depth > 0)) throw new Error(`${image}: is not all there`)
}
