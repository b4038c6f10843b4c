import type { ProfileEntry } from '../profile.js'
import { readHeader } from './header.js'
import { switchHeader } from './header-switch.js'
import { ID_LIMIT, type RawHeader } from './layout.js'
import { profileOf } from './profile.js'
import type { ResizedFile } from './resized-file.js'
import { NO_STORAGE, survey } from './survey.js'

/** @see resize.ts */
export function shrink(resized: ResizedFile, size: number): void {
  const { data, file, geometry, header } = resized
  const { raw } = header
  const profile = clippedProfile(resized, size)
  const changes: Partial<RawHeader> = {
    virtual_disk_size: size,
    base_img_size: Math.min(raw.base_img_size, size),
  }
  switchHeader(file, profile === null ? changes : { ...changes, prefetch_profile_entries: 0 })
  if (profile !== null) profileOf(file, readHeader(file))!.write(profile)
  if (geometry.compact) {
    freeChunks(resized, Math.ceil(size / geometry.chunkSize))
    resized.zeroBehind(size, geometry.size)
  } else resized.cutData(header.shape.dataOffset + size)
  data.sync()
}

/** What the profile of the base has before the new end; null where it stays as it is. */
function clippedProfile({ file, header }: ResizedFile, size: number): ProfileEntry[] | null {
  const { base_img_size: baseSize, prefetch_profile_entries: entries } = header.raw
  if (entries === 0 || baseSize <= size) return null
  const profile = profileOf(file, header)
  if (profile === undefined) return []
  return profile
    .read()
    .filter(({ offset }) => offset < size)
    .map(({ offset, length }) => ({ offset, length: Math.min(length, size - offset) }))
}

/** Empties the entries from chunk `end` on, durably, and gives back what only they named. */
function freeChunks(resized: ResizedFile, end: number): void {
  const { data, file, geometry, header, table } = resized
  const { dataOffset, tableOffset } = header.shape
  if (end === geometry.chunks) return
  resized.writeTable(tableOffset, end, new Uint32Array(0), geometry.chunks)
  file.sync()
  const { next } = survey(table.subarray(0, end), ID_LIMIT)
  for (const entry of table.subarray(end)) {
    if (entry !== NO_STORAGE && entry <= next) data.zero(resized.storageOf(entry), geometry.chunkSize)
  }
  const least = data === file ? header.raw.metadata_size : 0
  resized.cutData(Math.max(dataOffset + next * geometry.chunkSize, least))
}
