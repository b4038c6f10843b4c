import { ImageError } from '../../errors.js'
import { MAX_WORKERS } from '../../fuse/channel.js'
import { createCounters } from '../../fuse/counters.js'
import type { CacheMode } from '../../fuse/handshake.js'
import { checkMountpoint, type Mountpoint } from '../../fuse/mountpoint.js'
import { errno } from '../../libc/errno.js'
import { becomeIoFlusher } from '../../libc/process.js'
import { TextSlots } from '../../shared/text-slots.js'
import { hideCredentials } from '../../storage/http/url.js'
import { tracer } from '../../trace.js'
import { chooseImages } from '../images/choose-images.js'
import { ServedImages } from '../images/served-images.js'
import type { MountOptions } from '../options.js'
import { cleanStaleInTime } from '../outside/clean-stale.js'
import { statusLines } from '../outside/status-lines.js'
import { serveKernel } from '../serving/kernel-transport.js'
import type { Transport } from '../serving/transport.js'
import { mountFacts } from '../status/status.js'
import { type Layout, mountedTree, type TreeDescription } from '../tree/mounted-tree.js'

const debug = tracer('mount')

/** A mount that answers. */
export interface RunningMount {
  readonly mountpoint: string
  /** What the user must know of the images, a line each. */
  readonly warnings: readonly string[]
  /** Resolves, never rejects, when the images are closed: with 0, or 1 when something was lost; `report` said what. */
  readonly finished: Promise<number>
  /** What the mount and each of its images is doing, a line each. */
  status(): string[]
  /** Unmounts; a second call cuts off whoever still uses the mount. */
  stop(): void
}

/**
 * Opens the images, mounts them, and serves them from this process until they are unmounted. `beforeMount` is called when
 * the images are open, before anybody can see the mount. What goes wrong later is told to `report`, a line at a time.
 * Throws ImageError, with nothing left behind, when the mount cannot be made.
 */
export async function startMount(
  asked: MountOptions,
  report: (line: string) => void,
  beforeMount: () => void,
): Promise<RunningMount> {
  // Before the workers start, which inherit it.
  if (!becomeIoFlusher()) debug('not permitted to become an I/O flusher; going on without')
  await cleanStaleInTime(asked.mountpoint)
  const mountpoint = checkMountpoint(asked.mountpoint, asked.nonempty)
  const choice = chooseImages(asked)
  const layout = layoutFor(mountpoint, choice.folders)
  const options = { ...asked, mountpoint: mountpoint.path, cache: cacheFor(layout, asked.cache) }
  const images = ServedImages.open(choice.images, choice.folders, options)
  let served: Served
  try {
    beforeMount()
    served = await serve(options, layout, images)
  } catch (error) {
    images.abandon()
    throw error
  }
  const { transport, tree } = served
  images.start(options.commitInterval, report, () => transport.abort())
  return {
    mountpoint: options.mountpoint,
    warnings: [...choice.warnings, ...images.warnings],
    status: () => statusLines(tree, images.disks),
    stop: stopper(transport, report),
    finished: transport.finished.then(died => images.end(died, report)),
  }
}

function layoutFor({ path, isFile }: Mountpoint, folders: boolean): Layout {
  if (!isFile) return folders ? 'folders' : 'directory'
  if (!folders) return 'file'
  throw new ImageError(
    'MOUNT',
    `${path}: is a file, and several images need a directory; mount on a directory`,
  )
}

/** A kernel that keeps written data back believes no size but its own, and begins with 0 for what is mounted over a file. */
function cacheFor(layout: Layout, asked: CacheMode): CacheMode {
  return layout === 'file' && asked === 'writeback' ? 'writethrough' : asked
}

interface Served {
  readonly transport: Transport
  readonly tree: TreeDescription
}

/** Serves with the transport that was asked for; "auto" takes the second one where the first is not to be had. */
async function serve(options: MountOptions, layout: Layout, images: ServedImages): Promise<Served> {
  const mounted = Date.now()
  const describe = (transport: 'kernel' | 'libfuse'): TreeDescription => {
    const workers = transport === 'kernel' ? MAX_WORKERS : 1
    return {
      layout,
      source: sourceOf(options),
      mount: mountFacts(options, transport, mounted),
      images: images.describe(layout === 'folders' ? () => createCounters(workers) : () => null),
      failed: images.failed,
      texts: TextSlots.allocate(),
      counters: createCounters(workers),
      owner: { uid: options.uid ?? process.getuid!(), gid: options.gid ?? process.getgid!() },
      umask: options.umask ?? 0o077,
      cached: options.cache !== 'none',
      mounted,
    }
  }
  const libfuse = async (): Promise<Served> => {
    const { serveThroughLibfuse } = await import('../serving/libfuse-transport.js')
    const tree = describe('libfuse')
    const fs = mountedTree(tree, 0, images.disks)
    return { transport: await serveThroughLibfuse(options, tree, fs), tree }
  }
  if (options.transport === 'libfuse') return libfuse()
  try {
    const tree = describe('kernel')
    return { transport: await serveKernel(options, tree), tree }
  } catch (error) {
    if (options.transport === 'kernel' || !(error instanceof ImageError)) throw error
    // What the first lacks of descriptors, the second would, too.
    if (error.errno === errno.EMFILE) throw error
    debug('the kernel transport is not to be had: %O', error)
    return libfuse().catch(() => {
      throw error
    })
  }
}

/** As it was asked for, which is how /etc/fstab and the mount table are compared. */
export function sourceOf({ images }: MountOptions): string {
  return images.length === 1 ? hideCredentials(images[0]!) : `${images.length} images`
}

function stopper(transport: Transport, report: (line: string) => void): () => void {
  let asked = false
  let failed = false
  const stop = async (): Promise<void> => {
    if (asked) {
      transport.abort()
      return
    }
    asked = true
    try {
      await unmount(transport, report)
    } catch (error) {
      debug('%O', error)
      // What was in the way may be gone the next time; twice, and it is not.
      const next = failed ? 'it is cut off' : 'it stays mounted, a further signal tries again'
      report(`${(error as Error).message}; ${next}`)
      if (failed) transport.abort()
      asked = false
      failed = true
    }
  }
  return () => {
    stop().catch(error => {
      debug('%O', error)
      report((error as Error).message)
    })
  }
}

/** At once where nobody uses it, else out of sight, and when the last user is gone. */
async function unmount(transport: Transport, report: (line: string) => void): Promise<void> {
  try {
    await transport.unmount(false)
  } catch (error) {
    await transport.unmount(true)
    report(`${(error as Error).message}; it ends when the last user is gone, a second signal ends it at once`)
  }
}
