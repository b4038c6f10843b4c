import { IoBuffer } from '../../libc/io-buffer.js'
import type { StorageFile } from '../../storage/storage-file.js'
import { check, scan } from './check.js'
import { ClusterSet } from './cluster-set.js'
import { decodeL1Entry, decodeL2Entry, encodeEntry, INVALID, ZERO } from './entries.js'
import { Geometry } from './geometry.js'
import type { QedHeader } from './header.js'
import { TableWalk } from './table-walk.js'

/**
 * Moves clusters and tables from the end of the file to the gaps before it, and cuts off what they leave: the format has
 * no list of free clusters, so a gap would be leaked for ever. Tables need gaps of several clusters: where those are
 * too few, data make room first, to behind the end of the file; then the tables move, then all data that lie too far
 * behind. Each of the three is done in this order:
 *
 *   1. copies; barrier
 *   2. the entries that name them; barrier
 *   3. what was left is given back
 *
 * Until step 3 each entry is right whether it was written or not, and a power cut leaves leaks at worst. Gaps read as
 * zeros; where nothing is sure, because an entry cannot be or a cluster has two owners, nothing moves.
 */
export function closeGaps(file: StorageFile, header: QedHeader): void {
  for (const move of ['makeRoom', 'moveTables', 'moveData'] as const) {
    const found = scan(file, header, false)
    if (found.errors > 0 || found.invalid > 0 || found.beyondRepair > 0 || found.leaks === 0) return
    if (new Gaps(file, header, found.used)[move]()) check(file, 'leaks')
  }
}

/** Bytes that are copied at a time. */
const PIECE = 1 << 20

/** Looks at the entry at byte `at`, which names `cluster`; true when it changed it. */
type Visitor = (view: DataView, at: number, cluster: number) => boolean

class Gaps {
  private readonly geometry: Geometry
  private readonly buffer: IoBuffer
  private readonly zeros: Buffer
  /** Where the clusters in use would end if there were no gaps. */
  private readonly end: number
  /** The first cluster that may move. */
  private first: number

  constructor(
    private readonly file: StorageFile,
    header: QedHeader,
    private readonly used: ClusterSet,
  ) {
    this.geometry = new Geometry(header)
    this.buffer = new IoBuffer(Math.min(PIECE, header.clusterSize))
    this.zeros = Buffer.alloc(this.buffer.length)
    this.end = used.count
    // A table that reaches over the end moves, too.
    this.first = Math.max(0, used.count - header.tableSize + 1)
  }

  /**
   * What can leaves places that tables will need, for behind the end of the file: data, and where the tables that stay leave
   * too little between them, all tables. Returns whether anything moved, as the others do.
   */
  makeRoom(): boolean {
    const { end, geometry } = this
    const { tableSize } = geometry
    const fixed = this.fixedClusters()
    const staying = this.fixedClusters()
    let tables = 0
    let missing = 0
    this.walkTables((_view, _at, table) => {
      tables++
      if (table + tableSize > end) missing++
      else staying.addRange(table, tableSize)
      return false
    })
    for (let gap = this.gapOf(tableSize, 0); gap >= 0; gap = this.gapOf(tableSize, gap + tableSize)) {
      staying.addRange(gap, tableSize)
      missing--
    }
    if (missing <= 0) return false
    const few = this.placesBeside(staying, missing)
    const enough = few.length === missing ? few : this.placesBeside(fixed, tables)
    const areAll = few.length < missing && enough.length === tables
    const places = areAll ? enough : few
    if (places.length === 0) return false
    this.first = areAll ? 0 : places.at(-1)!
    const leaves = (cluster: number) => places.some(place => cluster >= place && cluster < place + tableSize)
    let behind = this.used.size
    // What is not needed of it is cut off again.
    this.file.truncate((behind + (2 * places.length + 1) * tableSize) * geometry.clusterSize)
    this.moveDataWhere(leaves, () => behind++)
    // They lie behind the first place, and so each in the way of one or two.
    this.moveTablesWhere(
      table => areAll || (table + tableSize > end && (leaves(table) || leaves(table + tableSize - 1))),
      () => {
        behind += tableSize
        return behind - tableSize
      },
    )
    return true
  }

  /** What never moves. */
  private fixedClusters(): ClusterSet {
    const { headerSize, l1First, tableSize } = this.geometry
    const fixed = new ClusterSet(this.used.size, this.file.path)
    fixed.addRange(0, headerSize)
    fixed.addRange(l1First, tableSize)
    return fixed
  }

  /** Where up to `count` tables have room, the last first, when only `staying` is in their way. */
  private placesBeside(staying: ClusterSet, count: number): number[] {
    const { tableSize } = this.geometry
    const places: number[] = []
    for (let place = this.end - tableSize; place >= 0 && places.length < count; ) {
      const met = staying.nextPresent(place)
      if (met >= place + tableSize) places.push(place)
      place = Math.min(met, place) - tableSize
    }
    return places
  }

  moveTables(): boolean {
    const { end, geometry } = this
    const { tableSize } = geometry
    let gap = this.gapOf(tableSize, 0)
    return this.moveTablesWhere(
      table => table + tableSize > end && gap >= 0,
      () => {
        const target = gap
        gap = this.gapOf(tableSize, gap + tableSize)
        return target
      },
    )
  }

  moveData(): boolean {
    let gap = this.gapOf(1, 0)
    return this.moveDataWhere(
      cluster => cluster >= this.end && gap >= 0,
      () => {
        const target = gap
        gap = this.gapOf(1, gap + 1)
        return target
      },
    )
  }

  private moveTablesWhere(isMoved: (table: number) => boolean, target: () => number): boolean {
    return this.move(visit => this.walkTables(visit), this.geometry.tableSize, isMoved, target)
  }

  private moveDataWhere(isMoved: (cluster: number) => boolean, target: () => number): boolean {
    return this.move(visit => this.walkData(visit), 1, isMoved, target)
  }

  /** Steps 1 and 2 for what `walk` finds, each `length` clusters long. */
  private move(
    walk: (visit: Visitor) => void,
    length: number,
    isMoved: (cluster: number) => boolean,
    target: () => number,
  ): boolean {
    const targets = new Uint32Array(this.used.size - this.first)
    walk((_view, _at, cluster) => {
      if (!isMoved(cluster)) return false
      const to = target()
      this.copy(cluster, to, length)
      targets[cluster - this.first] = to
      return false
    })
    this.file.sync()
    walk((view, at, cluster) => {
      const to = cluster < this.first ? 0 : targets[cluster - this.first]!
      if (to !== 0) encodeEntry(view, at, to, this.geometry.clusterSize)
      return to !== 0
    })
    this.file.sync()
    return true
  }

  /** The first gap from `from` on that takes `count` clusters and ends before the end; -1 when there is none. */
  private gapOf(count: number, from: number): number {
    const { end, used } = this
    for (let gap = used.nextAbsent(from); gap + count <= end; ) {
      const behind = used.nextPresent(gap)
      if (behind - gap >= count) return gap
      gap = used.nextAbsent(behind)
    }
    return -1
  }

  private copy(from: number, to: number, count: number): void {
    const { buffer, file, geometry, zeros } = this
    const { clusterSize } = geometry
    for (let at = 0; at < count * clusterSize; at += buffer.length) {
      const got = file.read(buffer, 0, buffer.length, from * clusterSize + at)
      if (zeros.compare(buffer.bytes, 0, got, 0, got) !== 0) file.write(buffer, 0, got, to * clusterSize + at)
    }
  }

  private walkTables(visit: Visitor): void {
    const { file, geometry, used } = this
    new TableWalk(file, geometry.tableBytes).walk(geometry.l1Offset, (view, at) => {
      const table = decodeL1Entry(view, at, geometry, used.size)
      return table === INVALID ? false : visit(view, at, table)
    })
  }

  private walkData(visit: Visitor): void {
    const { file, geometry, used } = this
    const walk = new TableWalk(file, geometry.tableBytes)
    this.walkTables((_view, _at, table) => {
      walk.walk(table * geometry.clusterSize, (view, at) => {
        const cluster = decodeL2Entry(view, at, geometry, used.size)
        return cluster === ZERO || cluster === INVALID ? false : visit(view, at, cluster)
      })
      return false
    })
  }
}
