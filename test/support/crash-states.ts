import type { Random } from './random.js'
import { type Change, SimulatedStorage } from './simulated-storage.js'
import type { SparseBytes } from './sparse-bytes.js'

/**
 * The files that a power cut can leave, from the record of a SimulatedStorage.
 *
 * What was recorded before the last barrier of its own file is there. Of the changes after it any subset is, each
 * write and zeroing whole or torn into any subset of its 512-byte sectors. The size of a file is one that it had since
 * the barrier (file systems journal sizes in order), or on the way to the next: a write that survived beyond the
 * size that did is cut off, and a lost one below it leaves zeros.
 *
 * Walk with advance() from the first change to the last; build() gives the state that a choice leaves there.
 */
export class CrashStates {
  /** Changes that no barrier covers, of all files, oldest first. */
  pending: Change[] = []
  private readonly durable: Map<string, SparseBytes>
  /** Files with a barrier that failed: no later one promises anything. */
  private readonly doubtful = new Set<string>()
  private next = 0

  constructor(private readonly storage: SimulatedStorage) {
    this.durable = new Map([...storage.settled()].map(([path, bytes]) => [path, bytes.clone()]))
  }

  /** How many entries of the record lie behind. */
  get position(): number {
    return this.next
  }

  /** Takes one more change of the record in; false at its end. */
  advance(): boolean {
    const change = this.storage.record[this.next]
    if (change === undefined) return false
    this.next++
    if (change.kind === 'failed sync') this.doubtful.add(change.path)
    else if (change.kind !== 'sync') this.pending.push(change)
    else if (!this.doubtful.has(change.path)) this.settle(change.path)
    return true
  }

  build(choice: CrashChoice): SimulatedStorage {
    const crashed = new SimulatedStorage()
    for (const [path, bytes] of this.durable) crashed.addFile(path, this.survive(path, bytes.clone(), choice))
    crashed.settle()
    return crashed
  }

  private settle(path: string): void {
    const bytes = this.durable.get(path)
    if (bytes === undefined) throw new Error(`${path} was made after settle(): not simulated`)
    for (const change of this.pending) if (change.path === path) apply(change, bytes, true)
    this.pending = this.pending.filter(change => change.path !== path)
  }

  private survive(path: string, bytes: SparseBytes, choice: CrashChoice): SparseBytes {
    const { pending } = this
    const kept = pending.map((change, index) => change.path === path && choice.keep(index, pending))
    const last = choice.sizeOf?.(path, pending) ?? kept.findLastIndex(keep => keep !== false)
    const sizes = [
      bytes.size,
      ...pending
        .slice(0, last + 1)
        .filter(c => c.path === path)
        .map(c => c.size),
    ]
    let size = sizes.at(-1)!
    const following = pending.slice(last + 1).find(change => change.path === path)
    if (following !== undefined && following.size > size) size += choice.grow?.(following.size - size) ?? 0
    pending.forEach((change, index) => {
      if (change.path !== path) return
      if (change.kind === 'truncate') {
        if (index <= last) apply(change, bytes, true)
      } else apply(change, bytes, kept[index])
    })
    bytes.truncate(size)
    return bytes
  }
}

/** What survives of one change: all, nothing, or the sectors (counted from its start) that the function names. */
export type Keep = boolean | ((sector: number) => boolean)

export interface CrashChoice {
  readonly name: string
  keep(index: number, pending: readonly Change[]): Keep
  /** Index of the pending change whose size the file has; -1 for the durable one. As of the last kept by default. */
  sizeOf?(path: string, pending: readonly Change[]): number
  /** How many of the bytes that the file was about to grow by it grew. */
  grow?(bytes: number): number
}

const SECTOR = 512

function apply(change: Change, to: SparseBytes, keep: Keep): void {
  if (keep === false) return
  const { kind, offset, length, bytes } = change
  if (kind === 'truncate') to.truncate(offset)
  else if (keep === true) put(to, offset, length, bytes)
  else {
    for (let at = 0; at < length; at += SECTOR) {
      if (!keep(at / SECTOR)) continue
      const end = Math.min(at + SECTOR, length)
      put(to, offset + at, end - at, bytes?.subarray(at, end) ?? null)
    }
  }
}

function put(to: SparseBytes, offset: number, length: number, bytes: Uint8Array | null): void {
  if (bytes === null) to.zero(offset, length)
  else to.write(offset, bytes)
}

const all: CrashChoice = { name: 'all kept', keep: () => true }
const none: CrashChoice = { name: 'all lost', keep: () => false }

const SYSTEMATIC: readonly CrashChoice[] = [
  none,
  all,
  { name: 'only the last kept', keep: (index, pending) => index === pending.length - 1 },
  { name: 'only the first lost', keep: index => index !== 0 },
  { name: 'in place kept, growing lost', keep: (index, pending) => !pending[index].grew },
  { name: 'growing kept, in place lost', keep: (index, pending) => pending[index].grew },
  {
    name: 'sizes kept, contents lost',
    keep: (index, pending) => pending[index].kind === 'truncate',
    sizeOf: (path, pending) => pending.findLastIndex(change => change.path === path),
  },
]

/** The choices that hold whatever is pending. With fewer than two changes some are the same: those are left out. */
export function systematicChoices(pending: readonly Change[]): readonly CrashChoice[] {
  if (pending.length === 0) return [none]
  return pending.length === 1 ? [none, all, SYSTEMATIC.at(-1)!] : SYSTEMATIC
}

/** Each single change lost, each single one kept, each prefix lost: 3 n choices. */
export function singleChoices(pending: readonly Change[]): CrashChoice[] {
  return pending.flatMap((_, n) => [
    { name: `only ${n} lost`, keep: (index: number) => index !== n },
    { name: `only ${n} kept`, keep: (index: number) => index === n },
    { name: `all before ${n} lost`, keep: (index: number) => index >= n },
  ])
}

/** Any subset, with torn writes and any size. */
export function randomChoice(random: Random, pending: readonly Change[]): CrashChoice {
  const likely = random.pick([0.1, 0.5, 0.9])
  const torn = random.pick([0, 0.2, 0.6])
  const fates = pending.map((): Keep => {
    if (!random.chance(torn)) return random.chance(likely)
    const source = random.fork(random.word())
    const kept: boolean[] = []
    // The same answer whenever it is asked: the sectors are drawn in order, once.
    return sector => {
      while (kept.length <= sector) kept.push(source.chance(likely))
      return kept[sector]
    }
  })
  const latest = new Map<string, number>()
  if (random.chance(0.5))
    for (const { path } of pending) latest.set(path, random.between(-1, pending.length - 1))
  const part = random.chance(0.3) ? random.below(1 << 20) / (1 << 20) : 0
  return {
    name: `random (kept ${likely}, torn ${torn})`,
    keep: index => fates[index],
    ...(latest.size > 0 && { sizeOf: (path: string) => latest.get(path) ?? -1 }),
    grow: bytes => Math.floor((bytes * part) / SECTOR) * SECTOR,
  }
}
