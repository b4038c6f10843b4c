import { mkdir, open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createImage } from '../../src/disk/create.js'
import type { Cleanup } from '../cleanup.js'
import { ended, residentMiB } from '../process-facts.js'
import { RAWMOUNT, run, timed } from '../program.js'
import { number } from '../report-table.js'
import type { ManyImages } from './results.js'

/** As the host of a hundred machines would mount them: one daemon, a folder for each. */
const COUNT = 100
const FORMATS = ['qed', 'fvd']

/** Of each disk. */
const SIZE = 20 * 2 ** 30

/** Mounts a hundred images; `directory` is made, and removed. */
export async function measureManyImages(
  cleanup: Cleanup,
  directory: string,
  rounds: number,
  say: (text: string) => void,
): Promise<ManyImages> {
  const [images, mountpoint] = [join(directory, 'images'), join(directory, 'mnt')]
  await mkdir(images, { recursive: true })
  await mkdir(mountpoint)
  for (let n = 0; n < COUNT; n++) {
    const format = FORMATS[n % FORMATS.length]!
    createImage(join(images, `vm${n}.${format}`), { format, size: SIZE })
  }
  const measured = { count: COUNT, seconds: [] as number[], mebibytes: [] as number[] }
  for (let round = 0; round < rounds; round++) {
    measured.seconds.push(await timed(process.execPath, [RAWMOUNT, 'mount', images, mountpoint]))
    const unmount = cleanup.add(async () => {
      await run(process.execPath, [RAWMOUNT, 'umount', mountpoint], { interruptible: false })
    })
    const { pid } = JSON.parse(await readFile(join(mountpoint, '.rawmount/status.json'), 'utf8'))
    for (let n = 0; n < COUNT; n++) await use(join(mountpoint, `vm${n}/disk.raw`))
    measured.mebibytes.push(residentMiB(pid, 'VmRSS'))
    await unmount()
    await ended(pid)
    say(
      `  ${round + 1}  ${COUNT} images  ${number(measured.seconds[round]!)} s, ${number(measured.mebibytes[round]!)} MiB`,
    )
  }
  await rm(directory, { recursive: true })
  return measured
}

/** A guest that boots would do more; each worker has the image open after this, which is what costs. */
async function use(disk: string): Promise<void> {
  const file = await open(disk, 'r+')
  const block = Buffer.alloc(4096, 1)
  for (let n = 0; n < 16; n++) {
    await file.read(block, 0, block.length, n * 2 ** 30)
    await file.write(block, 0, block.length, n * 2 ** 30)
  }
  await file.sync()
  await file.close()
}
