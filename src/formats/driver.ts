import type { StorageFile } from '../storage/storage-file.js'

/**
 * A format driver translates: guest offsets to places in storage files. It never moves a guest's bytes; the
 * Disk does, for every format alike.
 *
 * Reading needs no lock: an entry goes from absent to present only, and only while the range lock of its grain
 * is held. Objects belong to one thread; what threads share lies in the SharedArrayBuffers of a description
 * that each thread attaches.
 */
export interface FormatDriver {
  readonly format: string
  /** Virtual size in bytes, a multiple of 512 but for raw. */
  readonly size: number
  /** Storage files may end before what map() names: the rest reads as zeros. False: then someone has cut them off. */
  readonly endsEarly: boolean
  /** Fills in where the run at `offset` (below `size`) lies; the run is at least 1, at most `length` bytes. */
  map(offset: number, length: number, run: Mapping): void
}

/** Where one run of guest bytes lies. */
export const Where = {
  /** In `file` at `offset`. */
  data: 0,
  /** Reads as zeros, and hides the backing image. */
  zero: 1,
  /** Not in this image: in the backing image, or zeros without one. */
  absent: 2,
} as const
export type Where = (typeof Where)[keyof typeof Where]

/** The answer of map(): one object per thread and layer, written over by each call. */
export class Mapping {
  where: Where = Where.absent
  length = 0
  /** Only with Where.data. */
  file: StorageFile | null = null
  offset = 0
}

/** Storage that allocate() handed out, not visible to readers before publish(). */
export class Place {
  file: StorageFile | null = null
  offset = 0
  length = 0
  /** True where the storage is known to read as zeros, so that parts of it need no write. */
  fresh = false
}

/**
 * A driver of an image that is open for writing. Allocate, fill, publish: the Disk holds the range lock of the
 * grain-aligned range from the map() that found it absent until the publish() that makes it present.
 */
export interface WritableDriver extends FormatDriver {
  /**
   * Bytes: absent ranges become present in whole grains, the last of which `absentEnd` may cut; the Disk fills what
   * the guest did not write. 0 for a format that never allocates.
   */
  readonly grain: number
  /** The same for ranges that read as zeros (Where.zero); 1: any range gets storage by itself. */
  readonly zeroGrain: number
  /** Nothing is absent from this offset on; at most the disk's size. */
  readonly absentEnd: number
  /**
   * Set by the Disk: commits, for a driver whose cache of metadata has no room but for dirty entries. A driver calls
   * it with no mutex held (the caller's range lock is no hindrance).
   */
  commitForRoom: () => void
  /**
   * Hands out storage for a prefix of [offset, offset + length), which is absent or zero, and locked. The rest of a
   * grain that the prefix cuts is asked for next.
   */
  allocate(offset: number, length: number, place: Place): void
  /**
   * [offset, offset + place.length) is from now on at `place`; durable after the next commit(). A grain that lies in
   * several places, which are published one after the other, is seen by readers with its last one.
   */
  publish(offset: number, place: Place): void
  /** Takes storage back that could not be filled. */
  abandon(place: Place): void
  /** Whole, absent, locked grains read as zeros from now on, without storage; durable after the next commit(). */
  publishZeros(offset: number, length: number): void
  /** Changes of metadata that are not yet in the file, in any unit; 0 = a commit is one barrier. */
  pending(): number
  /**
   * Makes everything that was published durable: data, barrier, metadata, barrier. One caller at a time, which
   * the Disk sees to. When it throws, what was pending still is.
   */
  commit(): void
  /**
   * Nothing is absent any more below `absentEnd`, or what is, reads as zeros in the base: commits, and then says in the
   * header, durably, that the image needs no base. Absent where a format cannot.
   */
  becomeIndependent?(): void
  /** Last commit and whatever marks the file as cleanly closed. */
  finish(): void
}

export function isWritable(driver: FormatDriver): driver is WritableDriver {
  return 'commit' in driver
}
