import { roundDown } from '../../src/bytes.js'
import type { Random } from './random.js'

/** What a guest and its host do to a disk. Offsets and lengths in bytes, any alignment. */
export type Operation =
  | { readonly kind: 'write' | 'zero' | 'read'; readonly offset: number; readonly length: number }
  | { readonly kind: 'flush' | 'reopen' | 'kill' }
  /** A step of the copier. */
  | { readonly kind: 'copy' }

/** How often each kind is drawn, as weights. */
export type Mixture = Partial<Record<Operation['kind'], number>>

export interface Window {
  readonly offset: number
  readonly length: number
}

/**
 * The parts of a disk that a test works in: both ends and some places in between, so that operations meet each
 * other also on a disk of a tebibyte. One window covers a small disk.
 */
export function chooseWindows(random: Random, size: number, unit: number): Window[] {
  const length = Math.min(size, Math.max(32 * 1024, Math.min(unit * 6, 12 << 20)))
  if (size <= length * 4) return [{ offset: 0, length: size }]
  const last = size - length
  const between = Array.from({ length: 2 }, () => roundDown(random.below(last), unit))
  const offsets = [...new Set([0, ...between, last])].sort((a, b) => a - b)
  return offsets.map((offset, index) => ({
    offset,
    length: Math.min(length, (offsets[index + 1] ?? size) - offset),
  }))
}

/** One operation in one of the windows; `unit` is what the format allocates in. */
export function drawOperation(
  random: Random,
  windows: readonly Window[],
  unit: number,
  mix: Mixture,
): Operation {
  const kinds = Object.entries(mix).flatMap(([kind, weight]) => Array<string>(weight).fill(kind))
  const kind = random.pick(kinds) as Operation['kind']
  if (kind === 'flush' || kind === 'reopen' || kind === 'kill' || kind === 'copy') return { kind }
  const window = random.pick(windows)
  const from = drawPosition(random, window.length, unit)
  const long = random.chance(0.15) ? window.length : unit * 2
  const length = Math.max(1, Math.min(drawPosition(random, long, unit), window.length - from))
  return from < window.length
    ? { kind, offset: window.offset + from, length }
    : { kind, offset: window.offset, length }
}

/** A number up to `limit`, near borders more often than not: of units, of pages, of sectors, or none. */
function drawPosition(random: Random, limit: number, unit: number): number {
  const grid = random.pick([unit, 4096, 512, 512, 1])
  const nudge = random.chance(0.15) ? random.between(-3, 3) : 0
  const at = random.below(Math.floor(limit / grid) + 1) * grid + nudge
  return Math.max(0, Math.min(at, limit))
}

/** One line, in words that a person can retype. */
export function describeOperation(operation: Operation): string {
  return 'offset' in operation ? `${operation.kind} ${operation.offset}+${operation.length}` : operation.kind
}

/**
 * Leaves out operations, halves first, as long as `fails` still says so: what remains is short enough to read.
 * `fails` is called at most `limit` times.
 */
export function minimize<T>(
  items: readonly T[],
  fails: (items: readonly T[]) => boolean,
  limit = 300,
): readonly T[] {
  let smallest = items
  let calls = 0
  for (let chunk = Math.ceil(items.length / 2); chunk >= 1; ) {
    let shrunk = false
    for (let at = 0; at < smallest.length && calls < limit; ) {
      const shorter = [...smallest.slice(0, at), ...smallest.slice(at + chunk)]
      calls++
      if (fails(shorter)) {
        smallest = shorter
        shrunk = true
      } else at += chunk
    }
    if (calls >= limit) break
    if (chunk > 1) chunk = Math.ceil(chunk / 2)
    else if (!shrunk) break
  }
  return smallest
}
