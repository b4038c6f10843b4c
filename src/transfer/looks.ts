import type { Disk } from '../disk/disk.js'
import { Extent } from '../disk/extents.js'
import { Kind, type Look, type Stretch } from './course.js'

/** Which file a name of Extent.path is, for files of this machine: equal for equal files, in every chain. */
export type Identities = ReadonlyMap<string, string>

/** A disk, and whose files it is made of. */
export interface Side {
  readonly disk: Disk
  readonly files: Identities
}

/** Data of one disk; zeros are passed over, or with `zeros` are something to do. */
export function lookAtOne(disk: Disk, zeros: boolean): Look {
  const extent = new Extent()
  const otherwise = zeros ? Kind.zero : Kind.skip
  return (offset, length, out) => {
    disk.nextExtent(offset, length, extent)
    out.kind = hasData(extent) ? Kind.first : otherwise
    out.length = extent.length
  }
}

/**
 * Where two disks may differ: not where both have zeros, nor where both show the same place of the same file, as images on
 * one base do. Behind its end a disk has zeros.
 */
export function lookAtBoth(first: Side, second: Side): Look {
  const one = new Extent()
  const other = new Extent()
  const sees = ({ disk }: Side, offset: number, length: number, extent: Extent): boolean => {
    extent.length = length
    if (offset >= disk.size) return false
    disk.nextExtent(offset, Math.min(length, disk.size - offset), extent)
    return hasData(extent)
  }
  return (offset: number, length: number, out: Stretch) => {
    const isData = sees(first, offset, length, one)
    const isOther = sees(second, offset, one.length, other)
    out.length = Math.min(one.length, other.length)
    if (isData && isOther) out.kind = isSame(first, one, second, other) ? Kind.skip : Kind.both
    else out.kind = isData ? Kind.first : isOther ? Kind.second : Kind.skip
  }
}

function hasData({ data, hole }: Extent): boolean {
  return data && !hole
}

function isSame(first: Side, one: Extent, second: Side, other: Extent): boolean {
  // -1: compressed, its place is not known.
  if (one.fileOffset !== other.fileOffset || one.fileOffset < 0) return false
  const file = first.files.get(one.path)
  return file !== undefined && file === second.files.get(other.path)
}
