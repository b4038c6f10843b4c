import { mkdir, readFile, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { RAWMOUNT, run, timed } from '../program.js'
import type { Contender, ContenderId, ImageKind } from './contender.js'

const QED: ImageKind = { format: 'qed', maker: 'qemu-img', grain: 65536 }
/** Beside FVD, which qemu-img does not know: full images of one maker lie in the page cache alike. */
const OWN_QED: ImageKind = { ...QED, maker: 'rawmount' }

/** On a backing file its blocks are as small as a bitmap of 4 MiB allows: 512 bytes up to 16 GiB. */
const FVD: ImageKind = { format: 'fvd', maker: 'rawmount', options: 'compact_image=off', grain: 512 }
const FVD_COMPACT: ImageKind = { ...FVD, options: 'compact_image=on' }

/** The built program, as a user runs it, with all defaults but the transport, which is the contest. */
function rawmount(id: ContenderId, kind: ImageKind, transport: 'kernel' | 'libfuse' = 'kernel'): Contender {
  return {
    id,
    ...kind,
    direct: true,
    commandLine: `rawmount mount --transport ${transport} IMAGE PLACE`,
    async serve(image, place) {
      await mkdir(place)
      const startTime = await timed(process.execPath, [
        RAWMOUNT,
        'mount',
        '--transport',
        transport,
        image,
        place,
      ])
      const { pid } = JSON.parse(await readFile(join(place, '.rawmount/status.json'), 'utf8')) as {
        pid: number
      }
      return {
        path: join(place, 'disk.raw'),
        pid,
        startTime,
        async stop() {
          await run(process.execPath, [RAWMOUNT, 'umount', place], { interruptible: false })
          await rmdir(place)
        },
      }
    },
  }
}

export const rawmountKernel = rawmount('rawmount', QED)
export const rawmountLibfuse = rawmount('libfuse', QED, 'libfuse')
/** rawmountKernel among those that it is compared with for its format. */
export const rawmountQed = rawmount('qed', OWN_QED)
export const rawmountFvdFlat = rawmount('fvd-flat', FVD)
export const rawmountFvdCompact = rawmount('fvd-compact', FVD_COMPACT)
