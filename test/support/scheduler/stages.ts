import type { CopyRequest } from '../../../src/disk/copying.js'
import { createImage } from '../../../src/disk/create.js'
import { openImage } from '../../../src/disk/open.js'
import { pattern } from '../pattern.js'
import { SharedStorage } from '../shared-storage.js'
import { TestDisk } from '../test-disk.js'
import type { Mutation } from './patched-program.js'
import type { Stage } from './runs.js'

const KIB = 1024

/** A small image over a base that is full of its pattern: three grains, the last of which the base covers in part. */
export interface StageSpec {
  readonly format: 'qed' | 'fvd'
  /** Bytes, all of them. */
  readonly grain: number
  readonly size: number
  readonly baseSize: number
  /** As for `create -o`. */
  readonly options: Readonly<Record<string, string>>
  readonly baseFormat?: 'qed'
  /** The base has nothing but zeros, in storage. */
  readonly zeros?: boolean
  /** Nothing of what is read is kept. */
  readonly passes?: boolean
  /** The last grain is in the image from the start, and with it the table that all of them are in. */
  readonly begun?: boolean
  /** The races that are of interest here; absent: all. */
  readonly races?: RegExp
}

const QED: StageSpec = {
  format: 'qed',
  grain: 4 * KIB,
  size: 12 * KIB,
  baseSize: 10 * KIB,
  options: { cluster_size: '4096', table_size: '1' },
}
const FLAT: StageSpec = {
  format: 'fvd',
  grain: 4 * KIB,
  size: 12 * KIB,
  baseSize: 10 * KIB,
  options: { block_size: '4096', journal_size: '8192' },
}
const COMPACT: StageSpec = {
  format: 'fvd',
  grain: 7680,
  size: 20 * KIB,
  baseSize: 17 * KIB,
  options: {
    compact_image: 'on',
    block_size: '7680',
    chunk_size: '4096',
    storage_grow_unit: '16384',
    journal_size: '8192',
  },
}

export const STAGES = {
  QED,
  'flat FVD': FLAT,
  'compact FVD, blocks across chunks': COMPACT,
  'QED over QED, nothing kept': { ...QED, size: 16 * KIB, baseFormat: 'qed', passes: true, begun: true },
  'compact FVD over zeros': { ...COMPACT, zeros: true, races: /prefetch|zeroing/ },
  'flat FVD, room to keep one grain': {
    ...FLAT,
    options: { ...FLAT.options, max_outstanding_copy_on_read_data: '4096' },
    races: /reader/,
  },
} as const satisfies Record<string, StageSpec>

export type StageName = keyof typeof STAGES

/** Whether every block is read from the base once at most: where there is room to keep what was read, and to count. */
export function readsOnce({ baseFormat, options, passes }: StageSpec): boolean {
  return !passes && baseFormat === undefined && options.max_outstanding_copy_on_read_data === undefined
}

export function makeStage(spec: StageSpec, threads: number, mutations: readonly Mutation[] = []): Stage {
  const {
    format,
    size,
    baseSize,
    options,
    baseFormat = 'raw',
    passes = false,
    zeros = false,
    begun = false,
    grain,
  } = spec
  const storage = new SharedStorage()
  createImage('/base', {
    format: baseFormat,
    size: baseSize,
    options: new Map(baseFormat === 'qed' ? Object.entries(QED.options) : []),
    host: storage,
  })
  const base = new TestDisk(openImage('/base', { format: baseFormat, host: storage, writable: true }))
  base.write(0, zeros ? new Uint8Array(baseSize) : pattern(0, baseSize, 1, 1))
  base.close()
  createImage('/image', {
    format,
    size,
    options: new Map(Object.entries(options)),
    backing: { name: 'base', format: baseFormat },
    host: storage,
  })
  if (begun) {
    const image = new TestDisk(openImage('/image', { format, host: storage, writable: true }))
    image.write(size - grain, pattern(size - grain, grain, 999, 0))
    image.close()
  }
  const copying: CopyRequest = {
    copyOnRead: passes ? 'off' : 'on',
    prefetch: 'on',
    prefetchRate: null,
    detach: true,
    recordProfile: false,
    prefetchProfile: 'off',
    writeBase: 'no',
  }
  return { storage, path: '/image', format, threads, copying, mutations }
}
