import { ImageError } from '../../errors.js'
import { SystemError } from '../../libc/errno.js'
import type { StorageFile } from '../../storage/storage-file.js'
import type { CheckOptions, CheckReport, Repair } from '../format.js'
import { checkBitmap } from './check-bitmap.js'
import { Findings } from './check-findings.js'
import { checkHeader } from './check-header.js'
import { countLeaks, cutTail, giveBack } from './check-leaks.js'
import { dropProfile, extend, saveMended } from './check-repair.js'
import { countFragmented, mendTable, Room } from './check-table.js'
import { type FvdHeader, readHeader } from './header.js'
import { settleHeader } from './header-switch.js'
import { loadBitmap, loadTable } from './load.js'
import { memoryOf, wipeJournal } from './recover.js'
import { replay } from './replay.js'
import { describeState, FvdState } from './state.js'
import { type Survey, survey } from './survey.js'

/**
 * The consistency check: each storage has one chunk and lies in the file, the records of a journal that counts say what
 * can be, the header does not contradict itself. Looked at is what an open would show: table and bitmap with the
 * journal of an image that was not closed cleanly in them. Storage that no entry names, and that takes room, is leaked;
 * room behind the last chunk is what the file has grown by.
 *
 * All that is wrong can be mended (check-repair.ts has the order): impossible entries become empty, impossible records
 * are left out, a file that was cut off within a chunk is extended, and what a crash without a journal left counts
 * from then on. Leaks give their storage back, and are no leaks then: an open for writing uses them again. Not in the run
 * that mends, though: what is leaked then may be what a damaged entry meant, and someone may want to look at it.
 *
 * @see Format.check
 */
export function check(file: StorageFile, repair: Repair, { companion }: CheckOptions): CheckReport {
  const header = readHeader(file)
  if (repair !== 'none' && !file.writable) {
    throw new ImageError(
      'READ_ONLY',
      `${file.path}: the file is open for reading only and cannot be repaired`,
    )
  }
  const data = header.dataFile === null ? file : companion(header.dataFile)
  const subject = new Subject(file, data, header, repair !== 'none')
  const found = subject.look()
  const { findings } = subject
  const { corruptions } = findings
  const mends = repair === 'all' && corruptions > 0
  const maySave = repair !== 'none' && findings.errors === 0 && (mends || corruptions === 0)
  const saved = maySave && subject.save(found)
  const leaks = saved && corruptions === 0 ? subject.giveBackLeaks(found) : found.leaks
  const mended = saved && mends
  const { geometry } = subject.state
  return {
    findings: findings.lines(mended),
    corruptions: mended ? 0 : corruptions,
    corruptionsFixed: mended ? corruptions : 0,
    leaks,
    leaksFixed: found.leaks - leaks,
    errors: findings.errors,
    totalClusters: geometry.compact ? geometry.chunks : geometry.blocks,
    allocatedClusters: geometry.compact ? found.storage.used : found.blocks,
    fragmentedClusters: countFragmented(subject.state.table),
    imageEndOffset: found.end,
  }
}

/** What stands in memory when all was looked at. */
interface Found {
  readonly storage: Survey
  /** Blocks in the image. */
  readonly blocks: number
  readonly leaks: number
  /** Where the last chunk in use ends, bytes. */
  readonly end: number
  readonly needsExtension: boolean
  readonly dropsProfile: boolean
  /** Records that do not count say what table and bitmap do not. */
  readonly dropsJournal: boolean
}

/** The image under check. */
class Subject {
  readonly findings = new Findings()
  readonly state: FvdState

  constructor(
    private readonly file: StorageFile,
    private readonly data: StorageFile,
    private readonly header: FvdHeader,
    repairs: boolean,
  ) {
    this.state = new FvdState(describeState(header.shape, repairs, ''), file, data)
  }

  /** Changes nothing but memory. */
  look(): Found {
    const { data, file, findings, header, state } = this
    const { geometry } = state
    const dropsProfile = checkHeader(header, file.size(), findings)
    this.attempt('the table', () => loadTable(file, geometry, state.table))
    this.attempt('the bitmap', () => loadBitmap(file, geometry, state.bitmap))
    const room = new Room(state)
    const dropsJournal = header.cleanShutdown && this.noteDroppedJournal()
    if (!header.cleanShutdown) this.recover(room)
    const { needsExtension } = mendTable(state, room, findings)
    const storage = survey(state.table, room.capacity + (needsExtension ? 1 : 0))
    const blocks = checkBitmap(state, findings)
    if (!geometry.compact) this.noteShortFile()
    let leaks = 0
    if (findings.errors === 0) leaks = countLeaks(state, storage.gaps, findings)
    const end = geometry.compact ? state.storageOf(storage.next) : header.shape.dataOffset + header.shape.size
    // An area may end behind the start of the data, which is rounded down.
    const least = data === file ? header.raw.metadata_size : 0
    return { storage, blocks, leaks, end: Math.max(end, least), needsExtension, dropsProfile, dropsJournal }
  }

  /** Brings to the files what is in memory. False when a file could not be made long enough; nothing was done then. */
  save({ needsExtension, dropsProfile: drops }: Found): boolean {
    settleHeader(this.file)
    if (needsExtension) {
      this.attempt('the end of the file', () => extend(this.state))
      if (this.findings.errors > 0) return false
    }
    saveMended(this.state, this.header.cleanShutdown)
    if (!this.header.cleanShutdown) this.findings.note('is recovered now, and marked as closed cleanly')
    if (drops) dropProfile(this.state)
    return true
  }

  /** Returns how many leaks remain. */
  giveBackLeaks({ storage, leaks, end, dropsJournal }: Found): number {
    const { data, findings, header, state } = this
    // What the dropped records name may be the last copy of somebody's data.
    if (!state.geometry.compact || dropsJournal) return leaks
    if (leaks > 0) {
      if (header.cleanShutdown) wipeJournal(state)
      giveBack(state, storage.gaps)
    }
    const cut = cutTail(state, end)
    if (cut > 0) findings.note(`${cut} bytes behind the last chunk were cut off ${data.path}`)
    if (leaks > 0 || cut > 0) data.sync()
    const rest = leaks === 0 ? 0 : countLeaks(state, storage.gaps, null)
    if (rest > 0) findings.note(`${rest} leaked chunk(s) remain: ${data.path} takes no holes there`)
    return rest
  }

  /** In memory, as an open does it. */
  private recover(room: Room): void {
    const { data, file, findings, state } = this
    const { geometry } = state
    if (!geometry.hasMetadata) {
      findings.note('was not closed cleanly; without bitmap and table nothing depends on that')
      return
    }
    if (geometry.journalSectors === 0) {
      findings.corruption(
        'was not closed cleanly and has no journal, so what was last written may be lost',
        'accepted as it is',
      )
      return
    }
    const memory = memoryOf(state)
    let changes = 0
    this.attempt('the journal', () => {
      const faults = replay(file, state, {
        setEntry(chunk, entry) {
          if (room.reaches(entry)) {
            changes++
            memory.setEntry(chunk, entry)
          } else {
            const where = `at ${state.storageOf(entry - 1)}, behind the end of ${data.path}`
            findings.corruption(`the journal gives chunk ${chunk} storage ${entry - 1} ${where}`, 'left out')
          }
        },
        setBlocks(first, end) {
          changes++
          memory.setBlocks(first, end)
        },
      })
      for (const fault of faults) findings.corruption(fault, 'left out')
    })
    findings.note(`was not closed cleanly: the journal has ${changes} change(s) that table and bitmap lack`)
  }

  /**
   * Old records of an image that was closed cleanly agree with it. When they do not, someone has thrown a journal away,
   * as the reference does when its open fails half-way.
   */
  private noteDroppedJournal(): boolean {
    const { file, findings, state } = this
    let changes = 0
    const count = () => {
      changes++
    }
    this.attempt('the journal', () => replay(file, state, { setEntry: count, setBlocks: count }))
    if (changes === 0) return false
    findings.note(
      `the journal has ${changes} change(s) that table and bitmap lack, and clean_shutdown is 1: they are forgotten when the image is opened for writing; to have them, first say "rawmount update ${file.path} clean_shutdown=0"`,
    )
    return true
  }

  /** An image that was never written is short; one that was, is not. */
  private noteShortFile(): void {
    const { data, findings, header } = this
    const { dataOffset, size } = header.shape
    const room = data.size() - dataOffset
    if (room <= 0 || room >= size) return
    findings.note(`${data.path} ends at ${data.size()}, within the disk, which reads as zeros from there on`)
  }

  /** A failure to read or write is a finding too: the rest of the image is worth looking at. */
  private attempt(what: string, act: () => void): void {
    try {
      act()
    } catch (error) {
      if (!(error instanceof SystemError)) throw error
      this.findings.error(`${what} could not be read or written: ${error.message}`)
    }
  }
}
