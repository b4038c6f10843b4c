import { IoBuffer } from '../../libc/io-buffer.js'
import type { StorageFile } from '../../storage/storage-file.js'
import { corruptAt } from './complaints.js'
import { INVALID, UNALLOCATED } from './entries.js'
import type { Geometry } from './geometry.js'
import { ENTRY_LENGTH } from './layout.js'

const EMPTY = -1

/**
 * The slices of L2 tables that one thread looked at last, as they lie in the file; bounded, the ones not looked at
 * again go first (second chance). Nobody changes the image, so threads need not know of each other's.
 */
export class L2Cache {
  /** The entries, slot after slot. */
  readonly view: DataView
  private readonly buffer: IoBuffer
  private readonly slotOf = new Map<number, number>()
  /** The slice in each slot. */
  private readonly owner: Float64Array
  private readonly used: Uint8Array
  private hand = 0

  /** `l1`: cluster of each L2 table, UNALLOCATED or INVALID. */
  constructor(
    private readonly file: StorageFile,
    private readonly geometry: Geometry,
    private readonly l1: Float64Array,
    bytes: number,
  ) {
    const { slices, sliceBytes } = geometry
    const slots = Math.max(1, Math.min(slices, Math.floor(bytes / sliceBytes)))
    this.buffer = new IoBuffer(slots * sliceBytes)
    this.view = this.buffer.view
    this.owner = new Float64Array(slots).fill(EMPTY)
    this.used = new Uint8Array(slots)
  }

  /**
   * The byte of `view` where the L2 entry for guest `offset` stands, those of the rest of its slice behind it; good
   * until the next call. -1 when there is no table. Throws ImageError CORRUPT for an L1 entry that cannot be.
   */
  locate(offset: number): number {
    const { geometry } = this
    const table = this.l1[Math.floor(offset / geometry.tableSpan)]
    if (table === UNALLOCATED) return -1
    if (table === INVALID) throw corruptAt(this.file, 'the L1 table entry points nowhere', offset)
    const slice = Math.floor(offset / geometry.sliceSpan)
    let slot = this.slotOf.get(slice)
    if (slot === undefined) slot = this.load(slice, table!)
    else this.used[slot] = 1
    const index = Math.floor((offset - slice * geometry.sliceSpan) / geometry.clusterSize)
    return slot * geometry.sliceBytes + index * ENTRY_LENGTH
  }

  private load(slice: number, table: number): number {
    const { geometry, buffer } = this
    const { sliceBytes, slicesPerTable, sliceSpan } = geometry
    const slot = this.victim()
    // Its owner goes first: a read that fails leaves the slot with anything in it.
    this.slotOf.delete(this.owner[slot]!)
    this.owner[slot] = EMPTY
    const from = table * geometry.clusterSize + (slice % slicesPerTable) * sliceBytes
    if (this.file.read(buffer, slot * sliceBytes, sliceBytes, from) < sliceBytes)
      throw corruptAt(this.file, 'the file ends within the L2 table', slice * sliceSpan)
    this.owner[slot] = slice
    this.slotOf.set(slice, slot)
    return slot
  }

  private victim(): number {
    const { used } = this
    while (used[this.hand] === 1) {
      used[this.hand] = 0
      this.hand = (this.hand + 1) % used.length
    }
    const slot = this.hand
    this.hand = (this.hand + 1) % used.length
    return slot
  }
}
