import { ImageError } from '../../errors.js'
import { IoBuffer } from '../../libc/io-buffer.js'
import * as atomics from '../../shared/atomics.js'
import { decodeL2Entry, INVALID } from './entries.js'
import { ENTRIES_PER_SECTOR, ENTRY_LENGTH } from './layout.js'
import { type QedState, Slot, Word } from './state.js'

/**
 * Slices of L2 tables, in a shared arena of bounded size.
 *
 * Reading takes no lock. The reader notes slot and generation, reads entries, and then asks holds(): if the slot
 * changed hands in between, what it read is worth nothing, and it goes the slow way, fetch() under the mutex,
 * where no slot changes hands. A slot changes hands in this order: out of the index, generation up, entries,
 * into the index; so a reader that saw any of the new entries sees a new generation, too.
 *
 * A slot with changes that are not in the file, dirty or in a running commit, keeps its slice. At most
 * `dirtyLimit` slots may be so, which whoever makes one dirty sees to; there is always one to give up, and a
 * reader never has to wait for a commit.
 */
export class L2Cache {
  readonly dirtyLimit: number
  private readonly scratch: IoBuffer

  constructor(private readonly state: QedState) {
    this.scratch = new IoBuffer(state.geometry.sliceBytes)
    // A cache that holds every slice of the disk never gives one up.
    const all = state.slotCount >= state.geometry.slices
    this.dirtyLimit = all ? state.slotCount : state.slotCount - Math.max(1, state.slotCount >> 2)
  }

  /** The slot that holds `slice`, or -1. Without the mutex it may be another's a moment later. */
  find(slice: number): number {
    const slot = atomics.load(this.state.index, slice) - 1
    if (slot >= 0) {
      const used = slot * Slot.length + Slot.used
      if (atomics.load(this.state.slots, used) === 0) atomics.store(this.state.slots, used, 1)
    }
    return slot
  }

  generation(slot: number): number {
    return atomics.load(this.state.slots, slot * Slot.length + Slot.generation)
  }

  /** True when what was read from `slot` since it had `generation` is of `slice`. */
  holds(slot: number, slice: number, generation: number): boolean {
    return this.generation(slot) === generation && atomics.load(this.state.index, slice) - 1 === slot
  }

  /** The cluster number, or one of the markers of entries.ts. */
  entry(slot: number, at: number): number {
    return atomics.loadUnsigned(this.state.arena, slot * this.state.geometry.sliceEntries + at)
  }

  /** The slot that holds `slice`, read from the file if need be. Only with the mutex, as long as the slot is used. */
  fetch(slice: number, table: number): number {
    const { index, slots } = this.state
    const found = this.find(slice)
    if (found >= 0) return found
    const slot = this.victim()
    const base = slot * Slot.length
    const owner = atomics.load(slots, base + Slot.owner)
    if (owner !== 0) atomics.store(index, owner - 1, 0)
    atomics.store(slots, base + Slot.owner, 0)
    atomics.add(slots, base + Slot.generation, 1)
    this.read(slot, slice, table)
    atomics.store(slots, base + Slot.owner, slice + 1)
    atomics.store(slots, base + Slot.used, 1)
    atomics.store(index, slice, slot + 1)
    return slot
  }

  isDirty(slot: number): boolean {
    const base = slot * Slot.length
    const { slots } = this.state
    return (atomics.load(slots, base + Slot.dirty) | atomics.load(slots, base + Slot.committing)) !== 0
  }

  /** Only with the mutex, and only when the slot is dirty already or fewer than `dirtyLimit` are. */
  set(slot: number, at: number, cluster: number): void {
    const { control, slots, arena, geometry } = this.state
    const dirty = slot * Slot.length + Slot.dirty
    if (!this.isDirty(slot)) atomics.add(control, Word.dirtySlots, 1)
    const sector = Math.floor(at / ENTRIES_PER_SECTOR)
    atomics.store(slots, dirty, atomics.load(slots, dirty) | (1 << sector))
    atomics.storeUnsigned(arena, slot * geometry.sliceEntries + at, cluster)
  }

  /** Second chance: whatever was used since the hand last came by is passed over once. */
  private victim(): number {
    const { control, slots, slotCount } = this.state
    let hand = atomics.load(control, Word.hand)
    // Readers set used bits all the time: the third round takes any slot that can be given up.
    for (let step = 0; step < 3 * slotCount; step++) {
      const slot = hand
      hand = hand + 1 === slotCount ? 0 : hand + 1
      if (this.isDirty(slot)) continue
      const used = slot * Slot.length + Slot.used
      if (step < 2 * slotCount && atomics.load(slots, used) !== 0) {
        atomics.store(slots, used, 0)
        continue
      }
      atomics.store(control, Word.hand, hand)
      return slot
    }
    throw new ImageError(
      'IO',
      `${this.state.file.path}: every slot of the metadata cache is dirty: this is a bug in rawmount, please report it`,
    )
  }

  private read(slot: number, slice: number, table: number): void {
    const { arena, file, geometry, numbers, cutCluster } = this.state
    const { sliceBytes, sliceEntries } = geometry
    const { scratch } = this
    const offset = table * geometry.clusterSize + (slice % geometry.slicesPerTable) * sliceBytes
    // A new table may lie beyond the end of the file until the next commit: it is empty there.
    const got = file.read(scratch, 0, sliceBytes, offset)
    if (got < sliceBytes) scratch.bytes.fill(0, got)
    const end = atomics.loadUnsigned(numbers, Word.high)
    const first = slot * sliceEntries
    for (let i = 0; i < sliceEntries; i++) {
      let cluster = decodeL2Entry(scratch.view, i * ENTRY_LENGTH, geometry, end)
      if (cluster === cutCluster) cluster = INVALID
      // An atomic store costs far more than a load, and most entries of a fresh slot are right already.
      if (atomics.loadUnsigned(arena, first + i) !== cluster) atomics.storeUnsigned(arena, first + i, cluster)
    }
  }
}
