import { readU64 } from '../../bytes.js'
import { ImageError } from '../../errors.js'
import { IoBuffer } from '../../libc/io-buffer.js'
import type { StorageFile } from '../../storage/storage-file.js'
import type { CheckReport, Repair } from '../format.js'
import { ClusterSet } from './cluster-set.js'
import { decodeL1Entry, decodeL2Entry, INVALID, ZERO } from './entries.js'
import { Geometry } from './geometry.js'
import { type QedHeader, readHeader, writeNeedCheck } from './header.js'
import { TableWalk } from './table-walk.js'

/**
 * The consistency check: each cluster has one owner (L1 table, an L2 table, data), offsets are aligned and lie in the
 * file, tables fit. What no entry names is leaked.
 *
 * Mended are invalid entries, which become unallocated, and leaks: at the end of the file they are cut off, in
 * the middle their storage is given back, though the format cannot use such a cluster again: it remains, and is
 * counted. Not in the run that mends entries, though: what is leaked then may be what a damaged entry meant, and
 * someone may want to look at it. A cluster with two owners is for people to decide. Entries are durable before NEED_CHECK is cleared.
 */
export function check(file: StorageFile, repair: Repair): CheckReport {
  const header = readHeader(file)
  if (repair !== 'none' && !file.writable) {
    throw new ImageError(
      'READ_ONLY',
      `${file.path}: the file is open for reading only and cannot be repaired`,
    )
  }
  const found = scan(file, header, repair === 'all')
  const mended = repair === 'all' ? found.invalid : 0
  const corruptions = found.invalid - mended + found.beyondRepair
  let { leaks } = found
  if (repair !== 'none' && corruptions === 0 && found.errors === 0) {
    if (mended > 0) file.sync()
    else leaks -= giveBackLeaks(file, header, found)
    if (header.needCheck) writeNeedCheck(file, new IoBuffer(8), header.features, false)
    file.sync()
  } else if (mended > 0) {
    file.sync()
  }
  return {
    findings: found.findings,
    corruptions,
    corruptionsFixed: mended,
    leaks,
    leaksFixed: found.leaks - leaks,
    errors: found.errors,
    totalClusters: Math.ceil(header.imageSize / header.clusterSize),
    allocatedClusters: found.allocated,
    fragmentedClusters: found.fragmented,
    imageEndOffset: found.used.last * header.clusterSize + header.clusterSize,
  }
}

/** What a scan of all tables found. */
export interface Scan {
  readonly findings: string[]
  /** Entries that point where they cannot. */
  invalid: number
  /** Clusters with more than one owner. */
  beyondRepair: number
  /** Tables that could not be read. */
  errors: number
  /** Only counted when there were no errors. */
  leaks: number
  allocated: number
  fragmented: number
  readonly used: ClusterSet
}

const MOST_FINDINGS = 200

/** Scans the whole image; with `mend`, invalid entries are set to zero on the way (not yet durable). */
export function scan(file: StorageFile, header: QedHeader, mend: boolean): Scan {
  const geometry = new Geometry(header)
  const clusters = Math.floor(file.size() / geometry.clusterSize)
  const used = new ClusterSet(clusters, file.path)
  const found: Scan = {
    findings: [],
    invalid: 0,
    beyondRepair: 0,
    errors: 0,
    leaks: 0,
    allocated: 0,
    fragmented: 0,
    used,
  }
  const say = (line: string): void => {
    if (found.findings.length < MOST_FINDINGS) found.findings.push(line)
  }
  const clear = (view: DataView, at: number, what: string): boolean => {
    found.invalid++
    say(`${what} is ${view.getBigUint64(at, true)}, which cannot be${mend ? '; set to 0' : ''}`)
    if (mend) view.setBigUint64(at, 0n, true)
    return mend
  }
  const l2Walk = new TableWalk(file, geometry.tableBytes)
  used.addRange(0, geometry.headerSize)
  used.addRange(geometry.l1First, geometry.tableSize)

  const scanL2 = (table: number, l1Index: number): void => {
    let last = 0
    l2Walk.walk(table * geometry.clusterSize, (view, at, index) => {
      const cluster = decodeL2Entry(view, at, geometry, clusters)
      if (cluster === ZERO) return false
      found.allocated++
      const offset = readU64(view, at)
      if (last !== 0 && offset !== last + geometry.clusterSize) found.fragmented++
      last = offset
      if (cluster === INVALID) return clear(view, at, `entry ${index} of the L2 table ${l1Index}`)
      if (used.addRange(cluster, 1) > 0) {
        found.beyondRepair++
        say(
          `the cluster at ${cluster * geometry.clusterSize} has two owners, one is entry ${index} of the L2 table ${l1Index}`,
        )
      }
      return false
    })
  }

  const l1Walk = new TableWalk(file, geometry.tableBytes)
  attempt(found, say, 'the L1 table', () =>
    l1Walk.walk(geometry.l1Offset, (view, at, index) => {
      const table = decodeL1Entry(view, at, geometry, clusters)
      if (table === INVALID) return clear(view, at, `entry ${index} of the L1 table`)
      const shared = used.addRange(table, geometry.tableSize)
      if (shared > 0) {
        found.beyondRepair += shared
        say(
          `the L2 table ${index} at ${table * geometry.clusterSize} shares ${shared} cluster(s) with another owner`,
        )
      } else {
        attempt(found, say, `the L2 table ${index}`, () => scanL2(table, index))
      }
      return false
    }),
  )
  if (found.errors === 0) found.leaks = clusters - used.count
  if (found.leaks > 0) say(`${found.leaks} cluster(s) are leaked: no entry names them`)
  return found
}

/** A failure to read or write is a finding too: the rest of the image is worth looking at. */
function attempt(found: Scan, say: (line: string) => void, what: string, act: () => void): void {
  try {
    act()
  } catch (error) {
    found.errors++
    say(`${what} could not be checked: ${(error as Error).message}`)
  }
}

/** Returns how many leaked clusters are no more. */
function giveBackLeaks(file: StorageFile, header: QedHeader, found: Scan): number {
  if (found.leaks === 0) return 0
  const { used } = found
  const end = used.last + 1
  const cut = used.size - end
  const { clusterSize } = header
  if (cut > 0) file.truncate(end * clusterSize)
  for (let first = used.nextAbsent(0); first < end; ) {
    const behind = used.nextPresent(first)
    file.zero(first * clusterSize, (behind - first) * clusterSize)
    first = used.nextAbsent(behind)
  }
  const rest = found.leaks - cut
  if (rest > 0) {
    found.findings.push(
      `${rest} leaked cluster(s) between others remain; their storage was given back to the file system`,
    )
  }
  return cut
}
