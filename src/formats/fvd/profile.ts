import { readU64, writeU64 } from '../../bytes.js'
import { ImageError, type ImageErrorCode } from '../../errors.js'
import { IoBuffer } from '../../libc/io-buffer.js'
import type { StorageFile } from '../../storage/storage-file.js'
import type { ProfileEntry, ProfileStore } from '../profile.js'
import type { FvdHeader } from './header.js'
import { settleHeader } from './header-switch.js'
import { FIELDS } from './layout.js'
import { PROFILE_ENTRY, profileFault, profileRoom, roomFault } from './profile-area.js'

/** Entries that are read to memory, or written, at most. */
const ENTRY_LIMIT = 2 ** 20
/** Units, in one entry. */
const LONGEST = 2 ** 32 - 1

/** The profile area that the header names; undefined when it names none. The file is its owner's to close. */
export function profileOf(file: StorageFile, header: FvdHeader): ProfileStore | undefined {
  return header.raw.prefetch_profile_offset === 0 ? undefined : new FvdProfile(file, header)
}

/**
 * Entries stand for themselves only when the header counts them, so a new profile is written while it counts none:
 *
 *   1. prefetch_profile_entries = 0, barrier
 *   2. the entries, barrier
 *   3. prefetch_profile_entries = their number, barrier
 *
 * One thread reads and writes it, and nobody else the sector of the header in which the number lies.
 */
class FvdProfile implements ProfileStore {
  private header: FvdHeader

  constructor(
    private readonly file: StorageFile,
    header: FvdHeader,
  ) {
    this.header = header
  }

  get capacity(): number {
    const { file, header } = this
    if (roomFault(header, file.size()) !== null) return 0
    return Math.min(Math.floor(profileRoom(header, file.size()) / PROFILE_ENTRY), ENTRY_LIMIT)
  }

  read(): readonly ProfileEntry[] {
    const { file, header } = this
    const { prefetch_profile_entries: count, prefetch_profile_offset: offset } = header.raw
    if (count === 0) return []
    const fault = profileFault(header, file.size())
    if (fault !== null) throw this.damaged(fault)
    if (count > ENTRY_LIMIT) {
      throw this.damaged(`has ${count} entries, and at most ${ENTRY_LIMIT} are read`, 'FORMAT_UNSUPPORTED')
    }
    const length = count * PROFILE_ENTRY
    const buffer = new IoBuffer(length)
    if (file.read(buffer, 0, length, offset) < length) throw this.damaged('is cut off')
    return Array.from({ length: count }, (_, index) => this.readEntry(buffer.view, index))
  }

  write(entries: readonly ProfileEntry[]): void {
    const { file, header, capacity } = this
    if (!file.writable) {
      throw new ImageError('READ_ONLY', `${file.path}: is open for reading only; open the image for writing`)
    }
    const fault = roomFault(header, file.size())
    if (fault !== null) {
      const advice = 'make a new image with profile_size'
      throw new ImageError('CORRUPT', `${file.path}: the area for a prefetch profile ${fault}; ${advice}`)
    }
    const units = this.toUnits(entries).slice(0, capacity)
    const buffer = new IoBuffer(units.length * PROFILE_ENTRY)
    for (const [index, { offset, length }] of units.entries()) {
      writeU64(buffer.view, index * PROFILE_ENTRY, offset)
      buffer.view.setUint32(index * PROFILE_ENTRY + 8, length, true)
    }
    settleHeader(file)
    this.writeCount(0)
    if (units.length === 0) return
    file.write(buffer, 0, buffer.length, header.raw.prefetch_profile_offset)
    file.sync()
    this.writeCount(units.length)
  }

  /** Durable when it returns. */
  private writeCount(count: number): void {
    const { file, header } = this
    const field = new IoBuffer(8)
    writeU64(field.view, 0, count)
    file.write(field, 0, 8, FIELDS.prefetch_profile_entries.at)
    file.sync()
    this.header = { ...header, raw: { ...header.raw, prefetch_profile_entries: count } }
  }

  /** The last unit may lie behind the end of the base in part. */
  private readEntry(view: DataView, index: number): ProfileEntry {
    const { unit_of_PrefetchProfileEntry_len: unit, base_img_size: size } = this.header.raw
    const offset = readU64(view, index * PROFILE_ENTRY)
    const length = view.getUint32(index * PROFILE_ENTRY + 8, true) * unit
    if (!(offset < size && length > 0 && offset + length < size + unit)) {
      throw this.damaged(
        `names ${length} bytes at ${offset} in entry ${index}, and the base has ${size} bytes`,
      )
    }
    return { offset, length: Math.min(length, size - offset) }
  }

  /** Lengths in units; what is too long for an entry takes several. */
  private toUnits(entries: readonly ProfileEntry[]): ProfileEntry[] {
    const { unit_of_PrefetchProfileEntry_len: unit, base_img_size: size } = this.header.raw
    const inUnits: ProfileEntry[] = []
    for (const { offset, length } of entries) {
      if (!(Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length > 0)) {
        throw new RangeError(`a profile entry of ${length} bytes at ${offset}`)
      }
      if (offset + length > size)
        throw new RangeError(`a profile entry ends at ${offset + length} of ${size}`)
      let left = Math.ceil(length / unit)
      for (let at = offset; left > 0; at += LONGEST * unit) {
        inUnits.push({ offset: at, length: Math.min(left, LONGEST) })
        left -= Math.min(left, LONGEST)
      }
    }
    return inUnits
  }

  private damaged(what: string, code: ImageErrorCode = 'CORRUPT'): ImageError {
    const { path } = this.file
    return new ImageError(
      code,
      `${path}: the prefetch profile ${what}; forget it with "rawmount update ${path} prefetch_profile_entries=0"`,
    )
  }
}
