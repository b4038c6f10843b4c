import type { Filler } from './filler.js'
import { qemuCopyOnRead, qemuNothing, qemuStream } from './qemu-fillers.js'
import { rawmountCopyOnRead, rawmountNothing, rawmountPrefetch, rawmountProfile } from './rawmount-fillers.js'

/** In the order in which they take their turns, and in which they are shown. */
export const FILLERS: readonly Filler[] = [
  rawmountNothing,
  rawmountCopyOnRead,
  rawmountPrefetch,
  rawmountProfile,
  qemuNothing,
  qemuCopyOnRead,
  qemuStream,
]
