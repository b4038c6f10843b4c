import { mkdir, readFile, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run, timed } from '../program.js'
import type { Contender, ContenderId } from './contender.js'

const PROGRAM = fileURLToPath(new URL('../../src/commands/main.js', import.meta.url))

/** The built program, as a user runs it, with all defaults but the transport, which is the contest. */
function rawmount(id: ContenderId, transport: 'kernel' | 'libfuse'): Contender {
  return {
    id,
    format: 'qed',
    direct: true,
    commandLine: `rawmount mount --transport ${transport} IMAGE PLACE`,
    async serve(image, place) {
      await mkdir(place)
      const startTime = await timed(process.execPath, [
        PROGRAM,
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
          await run(process.execPath, [PROGRAM, 'umount', place], { interruptible: false })
          await rmdir(place)
        },
      }
    },
  }
}

export const rawmountKernel = rawmount('rawmount', 'kernel')
export const rawmountLibfuse = rawmount('libfuse', 'libfuse')
