import { abortConnection } from '../../fuse/abort.js'
import { Counters } from '../../fuse/counters.js'
import type { FileSystem } from '../../fuse/file-system.js'
import { serveLibfuse } from '../../fuse/libfuse.js'
import type { MountOptions } from '../options.js'
import type { TreeDescription } from '../tree/mounted-tree.js'
import type { Transport } from './transport.js'

/** Mounts, and serves from this thread, between its other work. Resolves when the mount answers. */
export async function serveThroughLibfuse(
  options: MountOptions,
  tree: TreeDescription,
  fs: FileSystem,
): Promise<Transport> {
  const mount = await serveLibfuse(fs, {
    mountpoint: options.mountpoint,
    fsname: options.image,
    readOnly: options.readOnly,
    allowOther: options.allowOther,
    extraOptions: options.nonempty ? ['nonempty'] : [],
    counters: new Counters(tree.counters, 0),
  })
  return {
    name: 'libfuse',
    unmount: lazy => mount.unmount(lazy),
    abort: () => abortConnection(mount.connection, mount.mountpoint),
    finished: mount.finished.then(() => null),
  }
}
