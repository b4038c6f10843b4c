import { ImageError } from '../../errors.js'
import { Counters } from '../../fuse/counters.js'
import type { FileSystem } from '../../fuse/file-system.js'
import { serveLibfuse } from '../../fuse/libfuse.js'
import type { MountOptions } from '../options.js'
import { isReadOnly, type TreeDescription } from '../tree/mounted-tree.js'
import type { Transport } from './transport.js'

/** Mounts, and serves from this thread, between its other work. Resolves when the mount answers. */
export async function serveThroughLibfuse(
  options: MountOptions,
  tree: TreeDescription,
  fs: FileSystem,
): Promise<Transport> {
  if (tree.layout === 'file') {
    throw new ImageError(
      'MOUNT',
      `${options.mountpoint}: libfuse 2 mounts on directories only: mount on one, or use --transport kernel`,
    )
  }
  const mount = await serveLibfuse(fs, {
    mountpoint: options.mountpoint,
    fsname: tree.source,
    readOnly: isReadOnly(tree),
    allowOther: options.allowOther,
    extraOptions: [...(options.nonempty ? ['nonempty'] : []), ...options.flags],
    counters: new Counters(tree.counters, 0),
  })
  return {
    name: 'libfuse',
    unmount: lazy => mount.unmount(lazy),
    abort: () => mount.abort(),
    finished: mount.finished.then(() => null),
  }
}
