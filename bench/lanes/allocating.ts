import { rm, writeFile } from 'node:fs/promises'
import type { Bench, Lane } from '../bench.js'
import type { Contender } from '../contenders/contender.js'
import { checkImage } from '../evidence.js'
import { fio } from '../fio.js'
import { allocatingOffsets, BLOCK, CLUSTER, MiB, replayLog, sequentialOffsets } from '../pattern.js'

const GiB = 2 ** 30

/** Clusters enough that nobody runs out of them in the time. */
const EMPTY_SIZE = 8 * GiB

export interface Allocating {
  /** 4 KiB at a random place of each cluster of 64 KiB, or 1 MiB after 1 MiB. */
  readonly order: 'random' | 'sequential'
  /** On the template as backing file: what a write does not cover of its cluster or block is copied from it. */
  readonly backed: boolean
  /** An fsync after so many writes, over and over. */
  readonly fsyncEvery?: number
  /** An fsync at the end, in the measured time. */
  readonly endFsync?: boolean
}

/** Writes that all allocate, into an image that is new in every round. */
export async function allocating(
  bench: Bench,
  contender: Contender,
  { order, backed, fsyncEvery, endFsync = false }: Allocating,
): Promise<Lane> {
  const { images } = bench
  const size = backed ? images.size : EMPTY_SIZE
  const length = order === 'random' ? BLOCK : MiB
  return {
    async measure(round) {
      const image = backed ? await images.overlay(contender) : await images.empty(contender, size)
      if (backed) await images.warm(images.template)
      const { path, stop } = await bench.serve(contender, image)
      const offsets =
        order === 'random' ? allocatingOffsets(round + 1, size, CLUSTER) : sequentialOffsets(size, length)
      const replay = images.fresh('log')
      await writeFile(replay, replayLog(path, offsets, { length, fsyncEvery }))
      await images.makeRoom()
      await bench.settle()
      const { iops, bytesPerSecond, operations } = await fio(
        { rw: 'randwrite', blockSize: order === 'random' ? '4k' : '1M', replay, endFsync },
        { path, direct: contender.direct, seconds: bench.seconds, seed: round + 1 },
      )
      await stop()
      const held = checkImage(image, contender)
      const wanted = operations * Math.max(length, contender.grain)
      if (held < wanted)
        throw new Error(
          `${contender.id}: ${operations} writes put ${held} bytes into the image, not ${wanted}`,
        )
      await images.remove(image)
      await rm(replay)
      return order === 'random' ? iops : bytesPerSecond / 1e6
    },
    close: async () => {},
  }
}
