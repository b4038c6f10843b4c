import { roundUp } from '../../bytes.js'
import { IoBuffer } from '../../libc/io-buffer.js'
import * as atomics from '../../shared/atomics.js'
import { tracer } from '../../trace.js'
import { nextBit } from './bits.js'
import { Checkpoint } from './checkpoint.js'
import { writeAllData, writeCleanShutdown } from './header.js'
import { JournalWriter } from './journal.js'
import { SECTOR } from './layout.js'
import { PendingChanges } from './pending.js'
import { type FvdState, Word } from './state.js'

const log = tracer('fvd')

/**
 * The ordered commit. Until it ends, the file shows every block and chunk as the commit before left it:
 *
 *   1. copy what is pending into sectors of the journal (pending.ts)
 *   2. barrier: the guest's data, and the zeros in new storage, are durable
 *   3. write those sectors behind the last ones
 *   4. barrier
 *
 * A full journal begins again at its start, after a checkpoint: table and bitmap are brought to their places. What old
 * records still stand behind the new ones says nothing that is not so, as no chunk is ever freed or moved and no block
 * leaves the image. Without a journal, and after a commit that failed half-way, steps 3 and 4 are a checkpoint.
 *
 * One commit at a time: the Disk sees to it, and to it that nothing is committed after a barrier that failed.
 */
export class FvdCommit {
  /** Made at the first commit of this thread; untouched pages cost nothing. */
  private buffer: IoBuffer | null = null
  private writer: JournalWriter | null = null
  private readonly scratch = new IoBuffer(SECTOR)
  private readonly changes: PendingChanges
  private readonly checkpoint: Checkpoint

  constructor(private readonly state: FvdState) {
    this.changes = new PendingChanges(state)
    this.checkpoint = new Checkpoint(state)
  }

  /** One barrier when nothing is pending, else two or more. */
  run(): void {
    const { control, data, geometry } = this.state
    if (this.state.pending() === 0) data.sync()
    else if (geometry.journalSectors === 0 || atomics.load(control, Word.behind) !== 0) this.saveInPlace()
    else this.saveInJournal()
  }

  /** Leaves the file as a clean close does: table and bitmap in their places, and the header says so. */
  finish(): void {
    const { bitmapStale, control, data, file, tableStale } = this.state
    const isStale = nextBit(tableStale, 0) >= 0 || nextBit(bitmapStale, 0) >= 0
    if (isStale || this.state.pending() > 0) this.saveInPlace()
    else data.sync()
    if (atomics.load(control, Word.unclean) === 0) return
    writeCleanShutdown(file, this.scratch, true)
    file.sync()
  }

  /** Every block is in the image, durably, and then the header says so. */
  becomeIndependent(): void {
    const { file, mutex } = this.state
    // Whoever is publishing the last block has marked it as changed when the mutex is free again.
    mutex.lock()
    mutex.unlock()
    this.run()
    writeAllData(file, this.scratch)
    file.sync()
  }

  private saveInJournal(): void {
    const { control, data, description, file, geometry } = this.state
    this.buffer ??= new IoBuffer((BATCH_SECTORS + STRIDE) * SECTOR)
    this.writer ??= new JournalWriter(this.buffer.view)
    this.changes.restart()
    for (let more = true; more; ) {
      if (atomics.load(control, Word.cursor) >= geometry.journalSectors) this.checkpoint.run()
      const cursor = atomics.load(control, Word.cursor)
      // What was collected counts as saved: unless all of this succeeds, only a checkpoint makes it so.
      atomics.store(control, Word.behind, 1)
      more = this.changes.collect(this.writer, Math.min(BATCH_SECTORS, geometry.journalSectors - cursor))
      data.sync()
      const end = cursor + this.writer.count
      const padded = this.pad(cursor, end)
      file.write(
        this.buffer,
        0,
        (padded - cursor) * SECTOR,
        description.shape.journalOffset + cursor * SECTOR,
      )
      file.sync()
      if (log.enabled) log('%s: sectors %d to %d of the journal', file.path, cursor, end - 1)
      atomics.store(control, Word.cursor, end)
      atomics.store(control, Word.written, Math.max(padded, atomics.load(control, Word.written)))
      atomics.store(control, Word.behind, 0)
    }
  }

  /**
   * Where this session has not been yet, the journal is written in strides, the rest of them zeros: the barrier after the
   * next sectors has then no blocks of the file to allocate. What the zeros cover is obsolete. Returns the sector where
   * the write ends.
   */
  private pad(cursor: number, end: number): number {
    const { control, geometry } = this.state
    if (end <= atomics.load(control, Word.written)) return end
    const padded = Math.min(roundUp(end, STRIDE), geometry.journalSectors)
    this.buffer!.bytes.fill(0, (end - cursor) * SECTOR, (padded - cursor) * SECTOR)
    return padded
  }

  private saveInPlace(): void {
    const { control, data } = this.state
    this.changes.collectWhole()
    atomics.store(control, Word.behind, 1)
    data.sync()
    this.checkpoint.run()
  }
}

/** Sectors of one batch; the buffer takes 512 bytes for each. */
const BATCH_SECTORS = 4096

/** Sectors: 64 KiB. */
const STRIDE = 128
