import createDebug from 'debug'
import { CopyEngine } from '../../copy/engine.js'
import { WriteBack } from '../../copy/write-back.js'
import { type OpenImage, openImage } from '../../disk/open.js'
import { ImageError } from '../../errors.js'
import { MAX_WORKERS } from '../../fuse/channel.js'
import { createCounters } from '../../fuse/counters.js'
import { checkMountpoint, cleanStale } from '../../fuse/mountpoint.js'
import { becomeIoFlusher } from '../../libc/process.js'
import { TextSlots } from '../../shared/text-slots.js'
import { CommitTimer } from '../images/commit-timer.js'
import type { MountOptions } from '../options.js'
import { serveKernel } from '../serving/kernel-transport.js'
import type { Transport } from '../serving/transport.js'
import { statusFacts } from '../status/status.js'
import { DiskFile } from '../tree/disk-file.js'
import { mountedTree, type TreeDescription } from '../tree/mounted-tree.js'

const debug = createDebug('rawmount:mount')

/** A mount that answers. */
export interface RunningMount {
  readonly mountpoint: string
  /** What the user must know of the images, a line each. */
  readonly warnings: readonly string[]
  /** Resolves, never rejects, when the image is closed: with 0, or 1 when something was lost; `report` said what. */
  readonly finished: Promise<number>
  /** Unmounts; a second call cuts off whoever still uses the mount. */
  stop(): void
}

/**
 * Opens the image, mounts it, and serves it from this process until it is unmounted. `beforeMount` is called when the
 * image is open, before anybody can see the mount. What goes wrong later is told to `report`, a line at a time. Throws
 * ImageError, with nothing left behind, when the mount cannot be made.
 */
export async function startMount(
  asked: MountOptions,
  report: (line: string) => void,
  beforeMount: () => void,
): Promise<RunningMount> {
  // Before the workers start, which inherit it.
  if (!becomeIoFlusher()) debug('not permitted to become an I/O flusher; going on without')
  cleanStale(asked.mountpoint)
  const options = { ...asked, mountpoint: checkMountpoint(asked.mountpoint, asked.nonempty) }
  const image = openImage(options.image, {
    writable: !options.readOnly,
    format: options.format,
    metadataCache: options.metadataCache,
    backing: options.backing,
    allowDevices: options.allowDevices,
    allowStorageCommand: options.allowAddStorageCmd,
    copying: options.readOnly ? null : options.copying,
  })
  let transport: Transport
  let engine: CopyEngine | null
  try {
    engine = CopyEngine.for(image)
    beforeMount()
    transport = await serve(options, image, engine)
  } catch (error) {
    // Not a byte was asked for yet: there is nothing to lose, but the image was marked as open.
    image.close()
    throw error
  }
  let copierDied: Error | null = null
  engine?.start()
  const writeBack = WriteBack.for(image, report)
  const failed = (error: Error): void => {
    // It may have held a lock: who waits for it would wait for ever.
    copierDied = error
    transport.abort()
  }
  engine?.died.then(failed)
  writeBack?.died.then(failed)
  const timer = new CommitTimer(image.disk, options.commitInterval, report)
  return {
    mountpoint: options.mountpoint,
    warnings: [...image.warnings, ...(engine?.warnings ?? [])],
    stop: stopper(transport, report),
    finished: transport.finished.then(async died => {
      timer.stop()
      await writeBack?.stop()
      await engine?.stop().catch(error => report((error as Error).message))
      return end(image, died ?? copierDied, report)
    }),
  }
}

/** Serves with the transport that was asked for; "auto" takes the second one where the first is not to be had. */
async function serve(options: MountOptions, image: OpenImage, engine: CopyEngine | null): Promise<Transport> {
  const mounted = Date.now()
  const describe = (transport: 'kernel' | 'libfuse'): TreeDescription => ({
    disk: image.disk.describe(),
    file: DiskFile.allocate(mounted),
    texts: TextSlots.allocate(),
    counters: createCounters(transport === 'kernel' ? MAX_WORKERS : 1),
    copying: engine?.progress ?? null,
    status: statusFacts(options, transport, image.chain, mounted),
    owner: { uid: options.uid ?? process.getuid!(), gid: options.gid ?? process.getgid!() },
    umask: options.umask ?? 0o077,
    cached: options.cache !== 'none',
    mounted,
  })
  const libfuse = async (): Promise<Transport> => {
    const { serveThroughLibfuse } = await import('../serving/libfuse-transport.js')
    const description = describe('libfuse')
    return serveThroughLibfuse(options, description, mountedTree(description, image.disk))
  }
  if (options.transport === 'libfuse') return libfuse()
  try {
    return await serveKernel(options, describe('kernel'))
  } catch (error) {
    if (options.transport === 'kernel' || !(error instanceof ImageError)) throw error
    debug('the kernel transport is not to be had: %O', error)
    return libfuse().catch(() => {
      throw error
    })
  }
}

function stopper(transport: Transport, report: (line: string) => void): () => void {
  let asked = 0
  const stop = async (): Promise<void> => {
    if (asked++ > 0) {
      transport.abort()
      return
    }
    try {
      await transport.unmount(false)
    } catch (error) {
      report(
        `${(error as Error).message}; it ends when the last user is gone, a second signal ends it at once`,
      )
      await transport.unmount(true)
    }
  }
  return () => {
    stop().catch(error => {
      debug('%O', error)
      report((error as Error).message)
    })
  }
}

function end(image: OpenImage, died: Error | null, report: (line: string) => void): number {
  try {
    if (died === null) {
      image.close()
      return 0
    }
    // Whoever died may have held a lock. The last commit stands, as after a power cut.
    report(`serving ended with an error: ${died.message}; the image is as of the last flush`)
    debug('%O', died)
    image.drop()
  } catch (error) {
    report((error as Error).message)
    debug('%O', error)
  }
  return 1
}
