import { IoBuffer } from '../../libc/io-buffer.js'
import * as atomics from '../../shared/atomics.js'
import { tracer } from '../../trace.js'
import { encodeEntry, INVALID, UNALLOCATED } from './entries.js'
import { writeNeedCheck, writeWithoutBacking } from './header.js'
import { BACKING_FEATURES, ENTRIES_PER_SECTOR, ENTRY_LENGTH, SECTOR } from './layout.js'
import { SectorRuns } from './sector-runs.js'
import { Link, type QedState, Slot, Word } from './state.js'

const log = tracer('qed')

/**
 * The ordered commit: how changed tables reach the file so that no power cut leaves an entry that points at data
 * which is not there, whatever subset of the sectors written between two barriers was lost.
 *
 *   1. copy the dirty sectors of the cache, and of L1 those with new tables
 *   2. NEED_CHECK; extend the file over all that was handed out; sectors of tables that no L1 entry names
 *   3. barrier: the guest's data, and what 2 wrote, are durable
 *   4. sectors of the other tables, and of the L1 table
 *   5. barrier
 *
 * More sectors than the buffer holds go in several batches, where the barrier of one batch's step 3 is the last
 * one's step 5; L1 sectors come in the last. Each slot is copied once, so changes that come in
 * meanwhile cannot make a commit endless. Until the end, what was copied counts as `committing`: its slot keeps
 * its slice. When anything throws, all of it is dirty again. One commit at a time: the Disk sees to it, and to it that
 * nothing is committed after a barrier that failed.
 */
export class QedCommit {
  /** Made at the first commit of this thread; untouched pages cost nothing. */
  private buffer: IoBuffer | null = null
  private readonly small = new IoBuffer(SECTOR)
  private readonly runs: SectorRuns
  private nextSlot = 0
  private nextL1Sector = 0

  constructor(
    private readonly state: QedState,
    private readonly sectors = BATCH_SECTORS,
  ) {
    this.runs = new SectorRuns(sectors)
  }

  /** One barrier when nothing is pending, else two or more. */
  run(): void {
    if (this.state.pending() > 0) {
      this.commitPending()
      return
    }
    // All metadata is durable since the last commit: the bit may go, and it does no harm if it stays.
    this.clearNeedCheck()
    this.state.file.sync()
  }

  /** Leaves the file as a clean close does: nothing pending, no unused clusters at the end, NEED_CHECK cleared. */
  finish(): void {
    if (this.state.pending() > 0) this.commitPending()
    this.cutUnused()
    this.clearNeedCheck()
    this.state.file.sync()
  }

  /** Every cluster is in the image, durably, and then the header names no backing file any more. */
  becomeIndependent(): void {
    const { control, file, mutex } = this.state
    // Whoever is publishing the last cluster has marked its slot when the mutex is free again.
    mutex.lock()
    mutex.unlock()
    this.run()
    writeWithoutBacking(file, this.small)
    atomics.store(control, Word.features, this.state.features & ~BACKING_FEATURES)
    file.sync()
  }

  private commitPending(): void {
    this.buffer ??= new IoBuffer(this.sectors * SECTOR)
    this.nextSlot = 0
    this.nextL1Sector = 0
    try {
      for (let more = true; more; ) {
        more = this.copyBatch(this.buffer)
        this.setNeedCheck()
        this.extend()
        this.writeRuns(this.buffer, false)
        this.state.file.sync()
        this.writeRuns(this.buffer, true)
        if (log.enabled) log('%s: %d sectors of tables', this.state.file.path, this.runs.sectors)
      }
      this.state.file.sync()
    } catch (error) {
      this.settle(false)
      throw error
    }
    this.settle(true)
  }

  // Step 1

  /** False when everything that was pending has been copied. */
  private copyBatch(buffer: IoBuffer): boolean {
    const { runs, state } = this
    runs.clear()
    for (; this.nextSlot < state.slotCount; this.nextSlot++) {
      if (atomics.load(state.slots, this.nextSlot * Slot.length + Slot.dirty) === 0) continue
      if (runs.sectors + state.geometry.sliceSectors > this.sectors) return true
      state.mutex.lock()
      try {
        this.copySlot(buffer, this.nextSlot)
      } finally {
        state.mutex.unlock()
      }
    }
    if (atomics.load(state.control, Word.unlinked) === 0) return false
    const l1Sectors = Math.ceil(state.geometry.l1Entries / ENTRIES_PER_SECTOR)
    for (; this.nextL1Sector < l1Sectors; this.nextL1Sector++) {
      if (runs.sectors === this.sectors) return true
      state.mutex.lock()
      try {
        this.copyL1Sector(buffer, this.nextL1Sector)
      } finally {
        state.mutex.unlock()
      }
    }
    return false
  }

  private copySlot(buffer: IoBuffer, slot: number): void {
    const { arena, geometry, l1, links, slots } = this.state
    const base = slot * Slot.length
    const dirty = atomics.load(slots, base + Slot.dirty)
    const slice = atomics.load(slots, base + Slot.owner) - 1
    const l1Index = Math.floor(slice / geometry.slicesPerTable)
    const linked = atomics.load(links, l1Index) !== Link.unsent
    const table = atomics.loadUnsigned(l1, l1Index)
    const inFile = table * geometry.clusterSize + (slice % geometry.slicesPerTable) * geometry.sliceBytes
    for (let sector = 0; sector < geometry.sliceSectors; sector++) {
      if ((dirty & (1 << sector)) === 0) continue
      const first = slot * geometry.sliceEntries + sector * ENTRIES_PER_SECTOR
      this.copySector(buffer, arena, first, ENTRIES_PER_SECTOR, inFile + sector * SECTOR, linked)
    }
    // Only now: when reading for an invalid entry failed, the slot is as dirty as it was.
    atomics.store(slots, base + Slot.dirty, 0)
    atomics.store(slots, base + Slot.committing, atomics.load(slots, base + Slot.committing) | dirty)
  }

  private copyL1Sector(buffer: IoBuffer, sector: number): void {
    const { geometry, l1, links } = this.state
    const first = sector * ENTRIES_PER_SECTOR
    const count = Math.min(ENTRIES_PER_SECTOR, geometry.l1Entries - first)
    let isPending = false
    for (let i = first; i < first + count; i++) isPending ||= atomics.load(links, i) !== Link.inFile
    if (!isPending) return
    this.copySector(buffer, l1, first, count, geometry.l1Offset + sector * SECTOR, true)
    for (let i = first; i < first + count; i++) {
      if (atomics.load(links, i) === Link.unsent) atomics.store(links, i, Link.sent)
    }
  }

  /** `count` entries of `words` from `first` on, as they will lie in the sector at `inFile`. */
  private copySector(
    buffer: IoBuffer,
    words: Uint32Array,
    first: number,
    count: number,
    inFile: number,
    afterBarrier: boolean,
  ): void {
    const { clusterSize } = this.state.geometry
    const at = this.runs.sectors * SECTOR
    if (this.mustKeep(words, first, count)) this.readSector(buffer, at, inFile)
    for (let i = 0; i < count; i++) {
      const cluster = atomics.loadUnsigned(words, first + i)
      if (cluster !== INVALID) encodeEntry(buffer.view, at + i * ENTRY_LENGTH, cluster, clusterSize)
    }
    this.runs.add(inFile, afterBarrier)
  }

  /** Entries that are not ours to write: invalid ones stay as they are, for a check to find; and L1 beyond the disk's end. */
  private mustKeep(words: Uint32Array, first: number, count: number): boolean {
    if (count < ENTRIES_PER_SECTOR) return true
    for (let i = 0; i < count; i++) if (atomics.loadUnsigned(words, first + i) === INVALID) return true
    return false
  }

  private readSector(buffer: IoBuffer, at: number, inFile: number): void {
    const got = this.state.file.read(buffer, at, SECTOR, inFile)
    if (got < SECTOR) buffer.bytes.fill(UNALLOCATED, at + got, at + SECTOR)
  }

  // Steps 2 to 5

  private setNeedCheck(): void {
    const { control, features, file } = this.state
    if (atomics.load(control, Word.needCheck) !== 0) return
    writeNeedCheck(file, this.small, features, true)
    atomics.store(control, Word.needCheck, 1)
  }

  private clearNeedCheck(): void {
    const { control, features, file } = this.state
    if (atomics.load(control, Word.needCheck) === 0) return
    // First: if the write fails half-way, the next commit sets the bit again.
    atomics.store(control, Word.needCheck, 0)
    writeNeedCheck(file, this.small, features, false)
  }

  /**
   * Every cluster and table that was handed out lies within the file from now on. Under the mutex: whatever writes
   * beyond `next` was handed out later, and so after the truncate that would have cut it off.
   */
  private extend(): void {
    const { file, geometry, mutex, numbers } = this.state
    mutex.lock()
    try {
      const next = atomics.loadUnsigned(numbers, Word.next)
      if (next <= atomics.loadUnsigned(numbers, Word.extended)) return
      const end = next * geometry.clusterSize
      if (file.size() < end) file.truncate(end)
      atomics.storeUnsigned(numbers, Word.extended, next)
    } finally {
      mutex.unlock()
    }
  }

  /** Clusters that were handed out and all taken back again, at the end of the file. */
  private cutUnused(): void {
    const { file, geometry, mutex, numbers } = this.state
    mutex.lock()
    try {
      const next = atomics.loadUnsigned(numbers, Word.next)
      if (next === atomics.loadUnsigned(numbers, Word.high)) return
      const end = next * geometry.clusterSize
      if (file.size() > end) file.truncate(end)
      atomics.storeUnsigned(numbers, Word.high, next)
      if (atomics.loadUnsigned(numbers, Word.extended) > next)
        atomics.storeUnsigned(numbers, Word.extended, next)
    } finally {
      mutex.unlock()
    }
  }

  private writeRuns(buffer: IoBuffer, afterBarrier: boolean): void {
    const { runs } = this
    for (let i = 0; i < runs.count; i++) {
      if ((runs.afterBarrier[i] === 1) !== afterBarrier) continue
      this.state.file.write(buffer, runs.first[i]! * SECTOR, runs.length[i]! * SECTOR, runs.inFile[i]!)
    }
  }

  /** What was committing is in the file, or dirty again. */
  private settle(done: boolean): void {
    const { control, links, mutex, slots, slotCount } = this.state
    mutex.lock()
    for (let base = 0; base < slotCount * Slot.length; base += Slot.length) {
      const committing = atomics.load(slots, base + Slot.committing)
      if (committing === 0) continue
      const dirty = atomics.load(slots, base + Slot.dirty)
      atomics.store(slots, base + Slot.committing, 0)
      if (!done) atomics.store(slots, base + Slot.dirty, dirty | committing)
      else if (dirty === 0) atomics.add(control, Word.dirtySlots, -1)
    }
    // A table whose link was sent stays so after a failure: the file may have it.
    if (done && atomics.load(control, Word.unlinked) > 0) {
      for (let i = 0; i < links.length; i++) {
        if (atomics.load(links, i) !== Link.sent) continue
        atomics.store(links, i, Link.inFile)
        atomics.add(control, Word.unlinked, -1)
      }
    }
    mutex.unlock()
  }
}

/** Sectors of one batch; the buffer takes 512 bytes for each. */
const BATCH_SECTORS = 8192
