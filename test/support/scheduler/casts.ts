import type { Random } from '../random.js'
import type { Act } from './actor.js'
import type { Cast } from './runs.js'

const SECTOR = 512

const read = (offset: number, length: number): Act => ({ kind: 'read', offset, length })
const write = (offset: number, length: number, version: number): Act => ({
  kind: 'write',
  offset,
  length,
  version,
})
const zero = (offset: number, length: number): Act => ({ kind: 'zero', offset, length })
const prefetch = (offset: number, length: number, piece: number): Act => ({
  kind: 'prefetch',
  offset,
  length,
  piece,
})
const copier = (index: number, piece: number): Act => ({ kind: 'copier', index, piece })
const store: Act = { kind: 'store' }
const flush: Act = { kind: 'flush' }
const complete: Act = { kind: 'complete' }
const close: Act = { kind: 'close' }

/** More than these small races can have. */
const EVERY = 99

/** A race: who takes part, by the bytes of a grain and of the disk. */
export interface Race {
  cast(grain: number, size: number): Cast
  /** At the calls that matter; one more in the long run. */
  readonly preemptions: number
  /** Why a block may be read from the base twice. */
  readonly mayReadTwice?: string
}

export const RACES = {
  'two writers in a grain': {
    cast: () => ({ one: [write(512, 512, 1)], other: [write(1024, 1024, 2)] }),
    preemptions: EVERY,
  },
  'two readers of a grain, and a copier': {
    cast: () => ({
      one: [read(512, 512)],
      other: [read(1024, 512), read(512, 512)],
      copier: [store, store],
    }),
    preemptions: 1,
  },
  'a reader, a copier and a writer of part of the grain': {
    cast: () => ({
      reader: [read(512, 1024), read(512, 1024)],
      copier: [store],
      writer: [write(512, 512, 1)],
    }),
    preemptions: 1,
  },
  'a reader, a copier and a writer of the whole grain': {
    cast: grain => ({
      reader: [read(512, 1024)],
      copier: [store],
      writer: [write(0, grain, 1), read(512, 512)],
    }),
    preemptions: 1,
  },
  'a reader, a copier and zeroing': {
    cast: grain => ({
      reader: [read(512, 1024)],
      copier: [store],
      zeroing: [zero(0, grain), read(512, 512)],
    }),
    preemptions: 1,
  },
  'a prefetcher and a writer': {
    cast: grain => ({
      prefetcher: [prefetch(0, 2 * grain, grain)],
      writer: [write(512, grain, 1), read(512, grain)],
    }),
    preemptions: 2,
  },
  'a prefetcher and a writer of whole grains': {
    cast: grain => ({
      prefetcher: [prefetch(0, 2 * grain, 2 * grain)],
      writer: [write(0, grain, 1), write(grain, grain, 2), read(0, 2 * grain)],
    }),
    preemptions: 2,
  },
  'a prefetcher and a writer of other grains': {
    cast: (grain, size) => ({
      prefetcher: [prefetch(0, grain, grain)],
      writer: [write(grain, size - grain, 1)],
    }),
    preemptions: 2,
  },
  'a prefetcher and zeroing': {
    cast: grain => ({
      prefetcher: [prefetch(0, 2 * grain, grain)],
      zeroing: [zero(512, grain), zero(0, grain)],
    }),
    preemptions: 2,
  },
  'a prefetcher, a reader and a copier': {
    cast: grain => ({
      prefetcher: [prefetch(0, 2 * grain, 2 * grain)],
      reader: [read(grain - 512, 1024)],
      copier: [store, store],
    }),
    preemptions: 1,
  },
  'two prefetchers of the same': {
    cast: grain => ({
      one: [prefetch(0, 2 * grain, 2 * grain)],
      other: [prefetch(0, 2 * grain, grain)],
    }),
    preemptions: 2,
  },
  'a prefetcher of one grain, and a writer of it and the next': {
    cast: grain => ({
      prefetcher: [prefetch(0, grain, grain)],
      writer: [write(512, grain, 1), prefetch(0, 2 * grain, grain)],
    }),
    preemptions: 2,
  },
  'a writer of one grain, and a reader of it and the next': {
    cast: grain => ({ writer: [write(0, grain, 1)], reader: [read(0, 2 * grain)] }),
    preemptions: 3,
  },
  'two writers in a grain, one of which flushes': {
    cast: grain => ({ one: [write(0, grain, 1)], other: [write(512, 512, 2), flush] }),
    preemptions: 2,
  },
  'commits, a writer and a prefetcher': {
    cast: grain => ({
      committer: [flush, flush],
      writer: [write(512, 512, 1)],
      prefetcher: [prefetch(0, 2 * grain, grain)],
    }),
    preemptions: 1,
  },
  'the end of a prefetch, a writer and zeroing': {
    cast: (grain, size) => ({
      prefetcher: [prefetch(0, size, grain), complete, complete],
      writer: [write(512, grain, 1), write(grain, 512, 2)],
      zeroing: [zero(grain, 512)],
    }),
    preemptions: 1,
  },
  'the end of a prefetch, a reader and a copier': {
    cast: (grain, size) => ({
      prefetcher: [prefetch(0, size, grain), complete, complete],
      reader: [read(512, grain)],
      copier: [store, store],
    }),
    preemptions: 1,
  },
  'the end of a prefetch and a writer of its last block': {
    cast: (grain, size) => ({
      writer: [write(0, 2 * grain, 1), write(2 * grain, size - 2 * grain, 2)],
      prefetcher: [complete, complete],
    }),
    preemptions: 2,
  },
  'the close, a reader, a copier and a prefetcher': {
    cast: grain => ({
      close: [close],
      reader: [read(512, 512)],
      copier: [store],
      prefetcher: [prefetch(grain, grain, grain)],
    }),
    preemptions: 1,
    mayReadTwice: 'what was being fetched is not kept when the image is closed',
  },
  'a whole copier, a reader and a writer': {
    cast: grain => ({
      copier: [copier(0, grain)],
      reader: [read(512, grain)],
      writer: [write(grain - 512, 1024, 1)],
    }),
    preemptions: 1,
  },
  'two whole copiers and a reader': {
    cast: grain => ({
      copier: [copier(0, grain)],
      other: [copier(1, grain)],
      reader: [read(512, grain)],
    }),
    preemptions: 1,
  },
  'two whole copiers and a writer': {
    cast: grain => ({
      copier: [copier(0, grain)],
      other: [copier(1, 3 * grain)],
      writer: [write(grain - 512, 1024, 1)],
    }),
    preemptions: 1,
  },
} as const satisfies Record<string, Race>

export type RaceName = keyof typeof RACES

/** Up to four threads at random, each with a few acts; no two writes are of the same version. */
export function drawCast(random: Random, grain: number, size: number): Cast {
  let version = 0
  const range = (): [number, number] => {
    const borders = [0, SECTOR, grain - SECTOR, grain, grain + SECTOR, 2 * grain, size - SECTOR, size]
    const start = random.pick(borders.slice(0, -1))
    const end = random.pick(borders.filter(border => border > start))
    return [start, end - start]
  }
  const several = (act: () => Act) => Array.from({ length: random.between(1, 3) }, act)
  const roles: Record<string, () => Act[]> = {
    writer: () => several(() => write(...range(), ++version)),
    guest: () =>
      several(() =>
        random.chance(0.3)
          ? zero(...range())
          : random.chance(0.5)
            ? read(...range())
            : write(...range(), ++version),
      ),
    reader: () => several(() => read(...range())),
    'other reader': () => several(() => read(...range())),
    committer: () => several(() => flush),
    copier: () => [copier(0, grain * random.between(1, 3))],
    'other copier': () => [copier(1, grain * random.between(1, 3))],
    storing: () => [{ kind: 'serve' }],
    prefetcher: () => [prefetch(0, size, grain * random.between(1, 3)), complete],
  }
  const names = Object.keys(roles)
  const chosen = new Set(Array.from({ length: random.between(2, 4) }, () => random.pick(names)))
  return Object.fromEntries([...chosen].map(name => [name, roles[name]!()]))
}
