import { roundUp } from '../../bytes.js'
import type { ByteRange } from '../../partitions/table.js'
import * as atomics from '../../shared/atomics.js'
import { Mutex } from '../../shared/mutex.js'
import { WatchedRanges } from './watched-ranges.js'
import { FLAGS_AT, ID, LISTED, OPENED, type Place, SLOT_BYTES, WindowSlot } from './window-slot.js'

/**
 * The files that show one disk, or a part of it, as all workers know them: a slot for each, in shared memory.
 *
 * Slot 0 is the whole disk, and has the id 0. The others are *incarnations* of partitions: a number, an offset
 * and a size that belong together for ever. When the table changes, a partition that is not where it was gets a
 * new slot and so a new id, which becomes an inode number: the kernel shows no page of the old one for the new
 * one, and who has the old one open goes on with what he opened. Slots of partitions that are gone are used
 * again, the oldest first, those that nobody has open before those that somebody has.
 *
 *   id = turn × SLOTS + slot, the turn going up with each use of the slot: an id never means anything else
 *
 *   header   mutex | version of the disk's table | version that is listed | shared | taking | next slot, limit
 *   watched  ranges that a table lies in (watched-ranges.ts)
 *   slots    id, number, offset, size | listed, opened | cells of the file | written parts
 *
 * Slots are filled and listed under the mutex. They are read without: an id is known to nobody before its slot
 * is filled, and what a slot holds is good as long as its id is still there.
 */
const SLOTS = 1024
/** The slot and id of the whole disk. */
export const WHOLE_DISK = 0

const MUTEX = 0
/** Goes up after each write to what is watched. */
const CHANGES = 1
/** The value of CHANGES before the table that is listed was read. */
const LISTED_VERSION = 2
/** 1 from the first time a partition was opened. */
const SHARED = 3
/** Who is dropping what is outdated. */
const TAKING = 4
/** Where the next slot is looked for. */
const NEXT = 5
/** Slots from here on were never used. */
const LIMIT = 6
/** As many are remembered as long as nobody has more open. */
const FIRST_LIMIT = 64
const HEADER_BYTES = 32

const SLOT_START = roundUp(HEADER_BYTES + WatchedRanges.BYTES, 8)

export class WindowTable {
  readonly watched: WatchedRanges
  private readonly words: Int32Array
  /** All slots, as words and as numbers. */
  private readonly flags: Int32Array
  private readonly ids: Float64Array
  private readonly mutex: Mutex
  readonly wholeDisk: WindowSlot

  /** For a disk of `size` bytes; `now`: milliseconds since the epoch. */
  static allocate(size: number, now: number): SharedArrayBuffer {
    const memory = new SharedArrayBuffer(SLOT_START + SLOTS * SLOT_BYTES)
    const words = new Int32Array(memory, 0, HEADER_BYTES / 4)
    words[CHANGES] = 1
    words[NEXT] = 1
    words[LIMIT] = FIRST_LIMIT
    slotOf(memory, WHOLE_DISK).fill(WHOLE_DISK, { number: 0, offset: 0, size }, now)
    return memory
  }

  constructor(private readonly memory: SharedArrayBuffer) {
    this.flags = new Int32Array(memory, SLOT_START)
    this.ids = new Float64Array(memory, SLOT_START)
    this.words = new Int32Array(memory, 0, HEADER_BYTES / 4)
    this.mutex = new Mutex(this.words, MUTEX, 'partitions')
    this.watched = new WatchedRanges(memory, HEADER_BYTES)
    this.wholeDisk = slotOf(memory, WHOLE_DISK)
  }

  /** The version that is listed. */
  get versionListed(): number {
    return atomics.load(this.words, LISTED_VERSION)
  }

  /** To be taken before the table is read, and handed to list(). */
  version(): number {
    return atomics.load(this.words, CHANGES)
  }

  /** Something that is watched was written; the disk has it. */
  changed(): void {
    atomics.add(this.words, CHANGES, 1)
  }

  /** True from the first time that a partition was opened: only then can anybody see an outdated page. */
  get isShared(): boolean {
    return atomics.load(this.words, SHARED) !== 0
  }

  /** While anybody drops pages that are outdated. */
  get isTaking(): boolean {
    return atomics.load(this.words, TAKING) !== 0
  }

  beginTaking(): void {
    atomics.add(this.words, TAKING, 1)
  }

  endTaking(): void {
    atomics.add(this.words, TAKING, -1)
  }

  /**
   * A table that was read depends on these ranges. False when others were watched until now: then a write to
   * the new ones may have been missed, and it must be read again.
   */
  watch(ranges: readonly ByteRange[]): boolean {
    this.mutex.lock()
    try {
      if (this.watched.equal(ranges)) return true
      this.watched.replace(ranges)
      this.changed()
      return false
    } finally {
      this.mutex.unlock()
    }
  }

  /**
   * These partitions are listed from now on, as read when the table had this version. One that is where it was
   * keeps its id. Nothing happens when somebody listed this one or a newer one meanwhile.
   */
  list(version: number, places: readonly Place[]): void {
    this.mutex.lock()
    try {
      // Versions wrap around.
      if (((version - this.versionListed) | 0) <= 0) return
      const before = this.slots(LISTED)
      for (const slot of before) slot.isListed = false
      for (const place of places) {
        const same = before.find(slot => slot.isAt(place))
        if (same === undefined) this.fill(place)
        else same.isListed = true
      }
      atomics.store(this.words, LISTED_VERSION, version)
    } finally {
      this.mutex.unlock()
    }
  }

  /** In the order of their numbers. */
  listed(): WindowSlot[] {
    this.mutex.lock()
    try {
      return this.slots(LISTED).sort((a, b) => a.number - b.number)
    } finally {
      this.mutex.unlock()
    }
  }

  /** Those that the kernel may have pages of. */
  opened(): WindowSlot[] {
    return this.wholeDisk.wasOpened ? [this.wholeDisk, ...this.slots(OPENED)] : this.slots(OPENED)
  }

  /** Null when it is forgotten. */
  find(id: number): WindowSlot | null {
    return this.isKnown(id) ? slotOf(this.memory, id % SLOTS) : null
  }

  isKnown(id: number): boolean {
    return this.ids[((id % SLOTS) * SLOT_BYTES) / 8 + ID] === id
  }

  /** To be called before a byte of it is read. */
  markOpened(slot: WindowSlot): void {
    if (!slot.wasOpened) slot.wasOpened = true
    if (slot.id !== WHOLE_DISK && !this.isShared) atomics.store(this.words, SHARED, 1)
  }

  private fill(place: Place): void {
    const slot = this.free()
    const turn = Math.floor(slot.id / SLOTS)
    slot.fill((turn + 1) * SLOTS + slot.index, place, Date.now())
  }

  /** The next one that is not listed, nor in use if that can be had. */
  private free(): WindowSlot {
    for (;;) {
      const limit = atomics.load(this.words, LIMIT)
      let busy: WindowSlot | null = null
      for (let tried = 1; tried < limit; tried++) {
        const next = atomics.load(this.words, NEXT)
        atomics.store(this.words, NEXT, next + 1 < limit ? next + 1 : 1)
        const slot = slotOf(this.memory, next)
        if (slot.isListed) continue
        if (!slot.isInUse) return slot
        busy ??= slot
      }
      // There are more slots than numbers of partitions, so one is not listed at least.
      if (limit === SLOTS) return busy!
      atomics.store(this.words, NEXT, limit)
      atomics.store(this.words, LIMIT, Math.min(limit * 2, SLOTS))
    }
  }

  /** Partitions with the flag. */
  private slots(flag: number): WindowSlot[] {
    const slots: WindowSlot[] = []
    const limit = atomics.load(this.words, LIMIT)
    for (let index = 1; index < limit; index++) {
      if (atomics.load(this.flags, (index * SLOT_BYTES + FLAGS_AT) / 4 + flag) === 0) continue
      slots.push(slotOf(this.memory, index))
    }
    return slots
  }
}

function slotOf(memory: SharedArrayBuffer, index: number): WindowSlot {
  return new WindowSlot(memory, SLOT_START + index * SLOT_BYTES, index)
}
