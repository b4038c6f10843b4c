import * as atomics from '../../shared/atomics.js'
import { Mutex } from '../../shared/mutex.js'
import type { StorageFile } from '../../storage/storage-file.js'
import { FreeClusters } from './free-clusters.js'
import { Geometry, type Shape } from './geometry.js'

/**
 * What the threads that serve one QED image share. All of it is 32-bit words in SharedArrayBuffers:
 *
 *   control  the mutex, the allocation pointer, counters (Word)
 *   l1       first cluster of each L2 table; goes from unallocated to present only
 *   links    one word per L1 entry: is it in the file? (Link)
 *   index    slice number → slot + 1 of the arena, 0 = not cached
 *   slots    per slot of the arena: owner, generation, dirty sectors … (l2-cache.ts)
 *   arena    the entries, slot after slot
 *   free     clusters that were handed out and taken back (free-clusters.ts)
 *
 * Everything but the `used` bits is written under `mutex` only; `needCheck` by whoever commits.
 */
export interface QedDescription {
  readonly shape: Shape
  readonly writable: boolean
  /** The header has compatible features that nobody here knows. */
  readonly unknownCompat: boolean
  /** The number of the last cluster when the file ended within it, so that no entry can mean it; else -1. */
  readonly cutCluster: number
  readonly control: SharedArrayBuffer
  readonly l1: SharedArrayBuffer
  readonly links: SharedArrayBuffer
  readonly index: SharedArrayBuffer
  readonly slots: SharedArrayBuffer
  readonly arena: SharedArrayBuffer
  readonly free: SharedArrayBuffer
}

/** Words of `control`. The mutex has a cache line of its own. */
export const Word = {
  mutex: 0,
  /** The next cluster to hand out; unsigned. */
  next: 32,
  /** Clusters from here on were never handed out, and lie beyond the end of the file; unsigned. */
  high: 33,
  /** The file is known to reach up to this cluster; unsigned. */
  extended: 34,
  /** Slots with something in them that is not in the file. */
  dirtySlots: 35,
  /** L1 entries with a Link other than inFile. */
  unlinked: 36,
  /** 1 = NEED_CHECK is set in the file. */
  needCheck: 37,
  /** Where the search for a slot to reuse goes on. */
  hand: 38,
  /** The header's feature bits, as they are now. */
  features: 39,
  length: 48,
} as const

/** Where the L1 entry of a table stands. */
export const Link = {
  inFile: 0,
  /** Nothing in the file points to the table: its sectors may be written at any time. */
  unsent: 1,
  /** Written, perhaps: from now on the table's sectors need a barrier before them like any other's. */
  sent: 2,
} as const

/** Words per slot in `slots`. */
export const Slot = {
  /** Slice number + 1; 0 = empty. */
  owner: 0,
  /** Goes up when the slot changes hands. */
  generation: 1,
  /** Second chance for the search. */
  used: 2,
  /** Bit per sector that changed since it was last copied into a commit. */
  dirty: 3,
  /** Bit per sector that is in the running commit. */
  committing: 4,
  length: 8,
} as const

const MIN_SLOTS = 16

/** Makes the shared memory of an image; L1 and allocation pointer are still to be filled in. */
export function describeState(
  shape: Shape,
  { features, unknownCompat }: { features: number; unknownCompat: boolean },
  writable: boolean,
  fileSize: number,
  metadataCache: number,
): QedDescription {
  const geometry = new Geometry(shape)
  const slotBytes = geometry.sliceEntries * 4
  const slots = Math.max(
    1,
    Math.min(geometry.slices, Math.max(MIN_SLOTS, Math.floor(metadataCache / slotBytes))),
  )
  const words = (count: number) => new SharedArrayBuffer(count * 4)
  const whole = Math.floor(fileSize / shape.clusterSize)
  const control = words(Word.length)
  atomics.store(new Int32Array(control), Word.features, features)
  return {
    shape,
    unknownCompat,
    writable,
    cutCluster: fileSize % shape.clusterSize === 0 ? -1 : whole,
    control,
    l1: words(geometry.l1Entries),
    links: words(geometry.l1Entries),
    index: words(geometry.slices),
    slots: words(slots * Slot.length),
    arena: words(slots * geometry.sliceEntries),
    free: FreeClusters.allocate(),
  }
}

/** One thread's view of a description. */
export class QedState {
  readonly geometry: Geometry
  readonly control: Int32Array
  /** The same words as `control`, for cluster numbers. */
  readonly numbers: Uint32Array
  readonly l1: Uint32Array
  readonly links: Int32Array
  readonly index: Int32Array
  readonly slots: Int32Array
  readonly arena: Uint32Array
  readonly free: FreeClusters
  readonly slotCount: number
  readonly mutex: Mutex
  readonly cutCluster: number

  constructor(
    readonly description: QedDescription,
    readonly file: StorageFile,
  ) {
    this.geometry = new Geometry(description.shape)
    this.cutCluster = description.cutCluster
    this.control = new Int32Array(description.control)
    this.numbers = new Uint32Array(description.control)
    this.l1 = new Uint32Array(description.l1)
    this.links = new Int32Array(description.links)
    this.index = new Int32Array(description.index)
    this.slots = new Int32Array(description.slots)
    this.arena = new Uint32Array(description.arena)
    this.free = new FreeClusters(description.free)
    this.slotCount = this.slots.length / Slot.length
    this.mutex = new Mutex(this.control, Word.mutex, `metadata of ${file.path}`)
  }

  /** The header's feature bits. */
  get features(): number {
    return atomics.load(this.control, Word.features)
  }

  /** Changes that are not yet in the file, those of a running commit included. */
  pending(): number {
    return atomics.load(this.control, Word.dirtySlots) + atomics.load(this.control, Word.unlinked)
  }
}
