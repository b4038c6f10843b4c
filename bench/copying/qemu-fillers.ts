import { readFile, rm, writeFile } from 'node:fs/promises'
import { ended } from '../process-facts.js'
import { run } from '../program.js'
import type { Filler, FillerId } from './filler.js'
import { Monitor } from './qmp.js'

const PROGRAM = 'qemu-storage-daemon'
const JOB = 'stream'

interface Style {
  /** By its filter. */
  readonly copyOnRead?: boolean
  /** By its job, which puts a copy-on-read filter of its own above the disk. */
  readonly stream?: boolean
}

/**
 * QEMU's FUSE export of a qcow2 overlay. With its job the export is for reading only: QEMU 7.2 refuses to stream below a
 * writable one ("Permission conflict on node: permissions 'resize' ...").
 */
function options({ copyOnRead, stream }: Style, image: string, place: string): string[] {
  const node = copyOnRead ? 'kept' : 'disk'
  const writable = stream ? 'off' : 'on'
  const given = [
    ['--blockdev', `driver=file,node-name=file,filename=${image}`],
    ['--blockdev', 'driver=qcow2,node-name=disk,file=file'],
    copyOnRead ? ['--blockdev', 'driver=copy-on-read,node-name=kept,file=disk'] : [],
    stream ? ['--chardev', `socket,id=monitor,path=${place}.qmp,server=on,wait=off`] : [],
    stream ? ['--monitor', 'chardev=monitor'] : [],
    [
      '--export',
      `type=fuse,id=export,node-name=${node},mountpoint=${place},writable=${writable},allow-other=off`,
    ],
  ]
  return given.flat()
}

function qemu(id: FillerId, label: string, style: Style): Filler {
  const job = style.stream ? '; block-stream device=disk' : ''
  return {
    id,
    label,
    commandLine: `${PROGRAM} --daemonize --pidfile PIDFILE ${options(style, 'IMAGE', 'PLACE').join(' ')}${job}`,
    fetches: style.stream ?? false,
    async create(image, base) {
      await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', base, '-F', 'raw', image])
    },
    async serve(image, place) {
      const pidFile = `${place}.pid`
      await writeFile(place, '')
      const given = ['--daemonize', '--pidfile', pidFile, ...options(style, image, place)]
      await run(PROGRAM, given, { interruptible: false })
      const pid = Number(await readFile(pidFile, 'utf8'))
      const monitor = style.stream ? await startStream(`${place}.qmp`) : null
      return {
        path: place,
        async isComplete() {
          const jobs = (await monitor!.execute('query-block-jobs')) as unknown[]
          return jobs.length === 0
        },
        async stop() {
          monitor?.close()
          await run('kill', [`${pid}`], { interruptible: false })
          await ended(pid)
          for (const file of [pidFile, `${place}.qmp`, place]) await rm(file, { force: true })
        },
      }
    },
  }
}

/** On an image without a base it has nothing to do, and ends at once. */
async function startStream(socket: string): Promise<Monitor> {
  const monitor = await Monitor.connect(socket)
  await monitor.execute('block-stream', { 'job-id': JOB, device: 'disk' })
  return monitor
}

export const qemuNothing = qemu('qemu-nothing', 'QEMU, nothing', {})
export const qemuCopyOnRead = qemu('qemu-copy-on-read', 'QEMU, copy-on-read', { copyOnRead: true })
export const qemuStream = qemu('qemu-stream', 'QEMU, block-stream', { stream: true })
