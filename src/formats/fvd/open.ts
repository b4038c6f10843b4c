import { errnoOf, ImageError } from '../../errors.js'
import { IoBuffer } from '../../libc/io-buffer.js'
import * as atomics from '../../shared/atomics.js'
import type { StorageFile } from '../../storage/storage-file.js'
import { tracer } from '../../trace.js'
import type { FormatDriver } from '../driver.js'
import type { ImageFacts, InspectedImage, NamedFiles, OpenedImage, OpenOptions } from '../format.js'
import { Checkpoint } from './checkpoint.js'
import { copySettingsOf, refuseUnknownWriteBase } from './copy-settings.js'
import { FvdDriver } from './driver.js'
import { type FvdHeader, readHeader, readRawHeader, writeCleanShutdown } from './header.js'
import { settleHeader } from './header-switch.js'
import { mustHaveNames } from './interrupted.js'
import { FIELD_NAMES, SECTOR } from './layout.js'
import { loadBitmap, loadTable } from './load.js'
import { profileOf } from './profile.js'
import { memoryOf, wipeJournal } from './recover.js'
import { replay } from './replay.js'
import { FIXED, isFixedSize } from './resized-file.js'
import { describeState, type FvdDescription, FvdState, Word } from './state.js'
import { INVALID, type Survey, survey } from './survey.js'
import { usedPieces } from './used-pieces.js'
import { WritableFvdDriver } from './writable-driver.js'

const log = tracer('fvd')

/**
 * Opening, and recovery. Table and bitmap are read to memory, and the journal of an image that was not closed cleanly is
 * replayed there. What is opened read-only ends here: it shows what was last acknowledged, and no byte was written.
 *
 * For writing, after everything that can be refused has been, in this order:
 *
 *   closed cleanly: 1. the journal is wiped when a record in it says what bitmap and table do not: someone threw it
 *                      away, and it must not come back; or when storage is to be used again; barrier
 *                   2. clean_shutdown = 0, barrier: what the journal has counts from now on
 *   else:           1. clean_shutdown = 0 again, as a barrier after it may have failed
 *                   2. what was replayed is brought to its place: table, barrier, bitmap, barrier
 *                   3. the journal is wiped when storage is to be used again: an old record could name it; barrier
 *
 * A crash in between leaves a file that is opened like the one before.
 *
 * @see Format.open
 */
export function open(file: StorageFile, options: OpenOptions): OpenedImage {
  const { writable } = options
  if (writable && !file.writable) {
    throw new ImageError(
      'READ_ONLY',
      `${file.path}: the file is open for reading only; open the image read-only`,
    )
  }
  const header = readHeader(file)
  mustHaveNames(file.path, header)
  const data = header.dataFile === null ? file : options.companion(header.dataFile)
  const growCommand = options.allowStorageCommand ? header.raw.add_storage_cmd : ''
  // Where nothing is in the base any more, it does not matter how writes would change it.
  if (writable && header.base !== null) refuseUnknownWriteBase(header.raw, file.path)
  const copying = header.base === null ? null : copySettingsOf(header.raw, file.path)
  const profile = profileOf(file, header)
  let description = describeState(header.shape, writable, growCommand)
  const state = new FvdState(description, file, data)
  const warnings: string[] = writable ? [...(copying?.warnings ?? [])] : []
  const refuse: Refuse = (what, advice) => {
    if (writable) throw new ImageError('CORRUPT', `${file.path}: ${what}; ${advice}`)
    warnings.push(`${file.path}: ${what}; ${advice}`)
  }
  loadTable(file, state.geometry, state.table)
  loadBitmap(file, state.geometry, state.bitmap)
  if (!header.cleanShutdown && state.geometry.hasMetadata) recoverInMemory(state, refuse)
  const found = judgeTable(state, refuse)
  if (writable) {
    begin(state, header.cleanShutdown, found)
    const gaps = new SharedArrayBuffer(found.gaps.byteLength)
    new Uint32Array(gaps).set(found.gaps)
    description = { ...description, gaps }
  }
  return {
    driver: makeDriver(new FvdState(description, file, data)),
    backing: header.base,
    backingSize: header.shape.baseSize,
    describe: () => description,
    warnings,
    info: describeHeader(header, writable),
    ...(copying !== null && {
      copySettings: copying.settings,
      prefetchFault: copying.prefetchFault,
      copyOnReadFault: copying.copyOnReadFault,
    }),
    ...(profile !== undefined && { profile }),
  }
}

/** @see Format.inspect */
export function inspect(file: StorageFile): InspectedImage {
  const header = readHeader(file)
  return { size: header.shape.size, backing: header.base, info: describeHeader(header, false) }
}

/** @see Format.names */
export function names(file: StorageFile): NamedFiles {
  const { all_data_in_fvd_img: hasAll, base_img: base, data_file: data } = readRawHeader(file)
  return { backing: hasAll === 1 || base === '' ? null : base, data: data === '' ? null : data }
}

/** @see Format.attach */
export function attach(description: unknown, file: StorageFile, companion: StorageFile | null): FormatDriver {
  return makeDriver(new FvdState(description as FvdDescription, file, companion ?? file))
}

function makeDriver(state: FvdState): FormatDriver {
  return state.description.writable ? new WritableFvdDriver(state) : new FvdDriver(state)
}

/** Throws for an image that is to be written; one that is only read shows what there is, with a warning. */
type Refuse = (what: string, advice: string) => void

const CHECK = 'run "rawmount check" on the image'

function recoverInMemory(state: FvdState, refuse: Refuse): void {
  const { file, geometry } = state
  if (geometry.journalSectors === 0) {
    refuse(
      'was not closed cleanly and has no journal, so what was last written may be lost',
      'accept what is there with "rawmount check -r all"',
    )
    return
  }
  const faults = replay(file, state, memoryOf(state))
  log('%s: was not closed cleanly; its journal was replayed, with %d faults', file.path, faults.length)
  if (faults.length > 0) refuse(faults[0]!, CHECK)
}

function judgeTable(state: FvdState, refuse: Refuse): Survey {
  const { data, geometry, table } = state
  const capacity = geometry.compact ? state.capacity : 0
  const found = survey(table, capacity)
  const [outside] = found.outside
  if (outside !== undefined) {
    refuse(`the storage of chunk ${outside} lies behind the end of ${data.path}`, CHECK)
    for (let chunk = 0; chunk < table.length; chunk++) if (table[chunk]! > capacity) table[chunk] = INVALID
  }
  const [doubled] = found.doubled
  if (doubled !== undefined) refuse(`the storage of chunk ${doubled} belongs to another chunk, too`, CHECK)
  return found
}

function begin(state: FvdState, cleanShutdown: boolean, found: Survey): void {
  const { control, file, geometry } = state
  settleHeader(file)
  if (!geometry.compact) extendFlat(state)
  else {
    atomics.store(control, Word.next, found.next)
    atomics.store(control, Word.zeroed, found.next)
    atomics.store(control, Word.capacity, state.capacity)
    atomics.store(control, Word.used, state.begunChunks)
  }
  copyUsed(state.table, state.savedTable)
  copyUsed(state.bitmap, state.savedBitmap)
  atomics.store(control, Word.unclean, geometry.hasMetadata || !cleanShutdown ? 1 : 0)

  // Without bitmap and table there is nothing that a crash could lose, and the header stays as it is.
  const reuses = found.gaps.length > 0
  if (geometry.hasMetadata) {
    if (cleanShutdown && (reuses || contradicts(state))) wipeJournal(state)
    writeCleanShutdown(file, new IoBuffer(SECTOR), false)
    file.sync()
    new Checkpoint(state).run()
    if (!cleanShutdown && reuses) wipeJournal(state)
  }
}

/** A flat image is as long as its disk before anything else is done to it; one that cannot be, is refused. */
function extendFlat({ data, description, room }: FvdState): void {
  const { dataOffset, size } = description.shape
  if (room >= size) return
  try {
    data.truncate(dataOffset + size)
  } catch (error) {
    const why = isFixedSize(error) ? FIXED : `cannot be extended: ${(error as Error).message}`
    throw new ImageError(
      'CORRUPT',
      `${data.path}: has room for ${room} bytes of the disk's ${size}, and ${why}; name a larger data_file`,
      { errno: errnoOf(error), cause: error },
    )
  }
}

/** Whether replaying the journal would change anything. */
function contradicts(state: FvdState): boolean {
  let found = false
  const note = () => {
    found = true
  }
  const faults = replay(state.file, state, { setEntry: note, setBlocks: note })
  return found || faults.length > 0
}

/** Leaves the memory of empty parts untouched. */
function copyUsed(from: Uint32Array | Int32Array, to: Uint32Array | Int32Array): void {
  for (const { start, end } of usedPieces(from)) to.set(from.subarray(start, end), start)
}

function describeHeader(header: FvdHeader, writable: boolean): ImageFacts {
  const { raw } = header
  const specific: Record<string, string | number> = {}
  for (const name of FIELD_NAMES) specific[name] = raw[name]
  return {
    ...(raw.compact_image === 1 ? { clusterSize: raw.chunk_size } : {}),
    dirty: !header.cleanShutdown && !writable,
    specific,
  }
}
