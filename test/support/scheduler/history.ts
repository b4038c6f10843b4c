import { SECTOR } from '../pattern.js'
import { content, type Event, TORN } from './actor.js'

/**
 * Whether what the threads of a run saw can be explained: for each sector there must be an order of its writes in which
 * every read shows the last write before it, and which does not contradict the clock (a write that returned before
 * another was invoked came first; a read shows nothing that was overwritten before it was invoked, and nothing older
 * than an earlier read has shown). That is, each sector is linearizable, as a disk's is.
 *
 * Returns what is wrong, in words; null when nothing is. `initial`: the contents before the run, by sector.
 */
export function explain(initial: readonly number[], events: readonly Event[]): string | null {
  for (let sector = 0; sector < initial.length; sector++) {
    const wrong = explainSector(sector, initial[sector]!, events)
    if (wrong !== null) return `sector ${sector}: ${wrong}`
  }
  return null
}

interface Span {
  readonly content: number
  readonly invoked: number
  readonly returned: number
}

function explainSector(sector: number, initial: number, events: readonly Event[]): string | null {
  const writes: Span[] = [{ content: initial, invoked: -2, returned: -1 }]
  const reads: Span[] = []
  for (const { act, invoked, returned, seen } of events) {
    if (!('offset' in act)) continue
    const index = sector - act.offset / SECTOR
    if (index < 0 || index >= act.length / SECTOR) continue
    if (act.kind === 'write') writes.push({ content: content(act.version, 0), invoked, returned })
    if (act.kind === 'zero') writes.push({ content: 0, invoked, returned })
    if (seen !== undefined) reads.push({ content: seen[index]!, invoked, returned })
  }
  for (const read of reads) {
    if (read.content === TORN) return `a read shows a mixture ${describe(writes, reads)}`
    if (!writes.some(write => write.content === read.content)) {
      return `a read shows ${name(read.content)}, which nobody wrote ${describe(writes, reads)}`
    }
  }
  return canBeOrdered(writes, reads, []) ? null : `no order explains it ${describe(writes, reads)}`
}

/** Tries each write that a read may have seen, where zeros leave a choice. */
function canBeOrdered(writes: readonly Span[], reads: readonly Span[], sources: readonly number[]): boolean {
  if (sources.length === reads.length) return isAcyclic(writes, reads, sources)
  const { content } = reads[sources.length]!
  return writes.some((write, n) => write.content === content && canBeOrdered(writes, reads, [...sources, n]))
}

function isAcyclic(writes: readonly Span[], reads: readonly Span[], sources: readonly number[]): boolean {
  const before = writes.map(() => new Set<number>())
  const add = (first: number, second: number) => first !== second && before[second]!.add(first)
  for (const [a, one] of writes.entries()) {
    for (const [b, other] of writes.entries()) if (one.returned < other.invoked) add(a, b)
    for (const [r, read] of reads.entries()) {
      if (one.returned < read.invoked) add(a, sources[r]!)
      if (read.returned < one.invoked) {
        if (sources[r] === a) return false
        add(sources[r]!, a)
      }
    }
  }
  for (const [r, read] of reads.entries()) {
    for (const [l, later] of reads.entries()) {
      if (read.returned < later.invoked) add(sources[r]!, sources[l]!)
    }
  }
  const left = new Set(before.keys())
  while (left.size > 0) {
    const free = [...left].find(n => [...before[n]!].every(earlier => !left.has(earlier)))
    if (free === undefined) return false
    left.delete(free)
  }
  return true
}

function describe(writes: readonly Span[], reads: readonly Span[]): string {
  const list = (spans: readonly Span[]) =>
    spans.map(span => `${name(span.content)} at ${span.invoked}..${span.returned}`).join(', ')
  return `(writes: ${list(writes)}; reads: ${list(reads)})`
}

function name(content: number): string {
  if (content === 0) return 'zeros'
  const origin = Math.floor(content / 0x1000000)
  return origin === 0 ? `write ${content}` : `base ${origin} version ${content % 0x1000000}`
}
