import { open } from 'node:fs/promises'
import type { Bench, Lane } from '../bench.js'
import type { Contender } from '../contenders/contender.js'
import { type FioJob, type FioResult, fio } from '../fio.js'
import { checkImage } from '../images.js'
import { BLOCK } from '../pattern.js'
import { run } from '../program.js'

const PROOFS = 16
const PROOF_BYTE = 0x5a

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
      if (writes) await checkProof(image, contender.format, images.size)
      if (contender.format === 'qed') await checkImage(image)
    },
  }
}

/** Whoever keeps writes to itself is found out: known blocks, written through the mount, must be in the image. */
async function writeProof(path: string, size: number): Promise<void> {
  const file = await open(path, 'r+')
  const block = Buffer.alloc(BLOCK, PROOF_BYTE)
  for (const offset of proofOffsets(size)) await file.write(block, 0, BLOCK, offset)
  await file.sync()
  await file.close()
}

async function checkProof(image: string, format: string, size: number): Promise<void> {
  const reads = proofOffsets(size).flatMap(offset => ['-c', `read -P ${PROOF_BYTE} ${offset} ${BLOCK}`])
  await run('qemu-io', ['-r', '-f', format, ...reads, image])
}

function proofOffsets(size: number): number[] {
  const blocks = Math.floor(size / BLOCK)
  return Array.from({ length: PROOFS }, (_, index) => Math.floor(((index + 0.5) * blocks) / PROOFS) * BLOCK)
}
