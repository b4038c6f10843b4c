import { readFile, rm, writeFile } from 'node:fs/promises'
import { ended } from '../process-facts.js'
import { run, timed } from '../program.js'
import type { Contender, ContenderId } from './contender.js'

const PROGRAM = 'qemu-storage-daemon'

/** Everything that is not named has QEMU's default. The mount is private to its user, as rawmount's is. */
function options(format: 'qed' | 'qcow2', image: string, mountpoint: string): string[] {
  return [
    ['--blockdev', `driver=file,node-name=file,filename=${image}`],
    ['--blockdev', `driver=${format},node-name=disk,file=file`],
    ['--export', `type=fuse,id=export,node-name=disk,mountpoint=${mountpoint},writable=on,allow-other=off`],
  ].flat()
}

/** QEMU's own FUSE export. Its mount point is a file. */
function qemuExport(id: ContenderId, format: 'qed' | 'qcow2'): Contender {
  return {
    id,
    format,
    maker: 'qemu-img',
    grain: 65536,
    direct: true,
    commandLine: `${PROGRAM} --daemonize --pidfile PIDFILE ${options(format, 'IMAGE', 'PLACE').join(' ')}`,
    async serve(image, place) {
      const pidFile = `${place}.pid`
      await writeFile(place, '')
      const startTime = await timed(PROGRAM, [
        '--daemonize',
        '--pidfile',
        pidFile,
        ...options(format, image, place),
      ])
      const pid = Number(await readFile(pidFile, 'utf8'))
      return {
        path: place,
        pid,
        startTime,
        async stop() {
          await run('kill', [`${pid}`], { interruptible: false })
          await ended(pid)
          await rm(pidFile, { force: true })
          await rm(place)
        },
      }
    },
  }
}

export const qemu = qemuExport('qemu', 'qed')
export const qemuQcow2 = qemuExport('qcow2', 'qcow2')
