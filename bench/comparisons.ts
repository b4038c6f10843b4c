import { type ContenderId, LABELS } from './contenders/contender.js'
import type { Target } from './workloads.js'

/** What is compared with what: each comparison has tables and a chart of its own. */

export type ComparisonId = 'qed' | 'fvd'

/** `of` as a multiple of `to`. */
export interface Ratio {
  readonly of: ContenderId
  readonly to: ContenderId
  readonly title: string
}

export interface Comparison {
  readonly id: ComparisonId
  readonly title: string
  readonly columns: readonly ContenderId[]
  /** Columns of their own. */
  readonly ratios: readonly Ratio[]
  /** Who has targets; named with each where it is more than one. */
  readonly subjects: readonly ContenderId[]
  readonly chart: ChartStyle
}

/** Bars are multiples of what `reference` does. */
export interface ChartStyle {
  readonly title: string
  readonly reference: ContenderId
  readonly bars: readonly BarOf[]
}

export interface BarOf {
  readonly id: ContenderId
  readonly label: string
  readonly color: string
}

const STRONG = '#1f6feb'
const LIGHT = '#8bb8f8'
const VIOLET = '#a475f9'
const GREY = '#c4c9d0'

const QED: Comparison = {
  id: 'qed',
  title: 'QED: rawmount beside QEMU',
  columns: ['raw', 'bare', 'qemu', 'rawmount', 'libfuse'],
  ratios: [
    { of: 'rawmount', to: 'qemu', title: '× QEMU' },
    { of: 'libfuse', to: 'qemu', title: 'libfuse × QEMU' },
  ],
  subjects: ['rawmount'],
  chart: {
    title: 'Speed as a multiple of qemu-storage-daemon --export fuse',
    reference: 'qemu',
    bars: [
      { id: 'rawmount', label: 'rawmount', color: STRONG },
      { id: 'libfuse', label: 'rawmount --transport libfuse', color: LIGHT },
      { id: 'raw', label: 'a raw file itself', color: GREY },
    ],
  },
}

const FVD: Comparison = {
  id: 'fvd',
  title: 'FVD and QED by rawmount, qcow2 by QEMU',
  columns: ['raw', 'qcow2', 'qed', 'fvd-flat', 'fvd-compact'],
  ratios: [
    { of: 'fvd-compact', to: 'qcow2', title: 'compact × qcow2' },
    { of: 'fvd-flat', to: 'qed', title: 'flat × QED' },
    { of: 'fvd-compact', to: 'qed', title: 'compact × QED' },
  ],
  subjects: ['fvd-flat', 'fvd-compact'],
  chart: {
    title: 'Speed as a multiple of qcow2 by qemu-storage-daemon --export fuse',
    reference: 'qcow2',
    bars: [
      { id: 'fvd-compact', label: 'FVD compact', color: STRONG },
      { id: 'fvd-flat', label: 'FVD flat', color: LIGHT },
      { id: 'qed', label: 'QED by rawmount', color: VIOLET },
      { id: 'raw', label: 'a raw file itself', color: GREY },
    ],
  },
}

export const COMPARISONS: readonly Comparison[] = [QED, FVD]

export function comparisonOf({ comparison }: { readonly comparison: ComparisonId }): Comparison {
  return COMPARISONS.find(({ id }) => id === comparison)!
}

/** Whether the tables show in a column how far `target` is reached. */
export function hasColumn({ ratios }: Comparison, target: Target): boolean {
  return !('times' in target) || ratios.some(({ of, to }) => of === target.who && to === target.of)
}

/** "FVD flat ", where a target would not say whose it is. */
export function subjectPrefix({ subjects }: Comparison, who: ContenderId): string {
  return subjects.length > 1 ? `${LABELS[who]} ` : ''
}
