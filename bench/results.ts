import {
  COMPARISONS,
  type Comparison,
  type ComparisonId,
  comparisonOf,
  hasColumn,
  subjectPrefix,
} from './comparisons.js'
import { type ContenderId, LABELS } from './contenders/contender.js'
import type { CopyingResults } from './copying/results.js'
import type { Machine } from './machine.js'
import { ratio, type Summary, summarize } from './statistics.js'
import type { ToolboxResults } from './toolbox/results.js'
import type { Target, Unit } from './workloads.js'

/** What a run found out, as it is written to JSON: every sample of every round. */
export interface Results {
  readonly date: string
  readonly machine: Machine
  readonly rounds: number
  /** Of one measurement. */
  readonly seconds: number
  /** Bytes of the full images. */
  readonly size: number
  readonly commands: Readonly<Partial<Record<ContenderId, string>>>
  readonly workloads: readonly WorkloadResult[]
  /** Null when nothing of it was measured. */
  readonly copying: CopyingResults | null
  readonly toolbox: ToolboxResults | null
}

export interface WorkloadResult {
  readonly id: string
  readonly comparison: ComparisonId
  readonly title: string
  readonly unit: Unit
  readonly targets: readonly Target[]
  /** In the order of the rounds. */
  readonly samples: Readonly<Partial<Record<ContenderId, readonly number[]>>>
}

/** Those of one comparison. */
export function workloadsOf({ workloads }: Results, { id }: Comparison): readonly WorkloadResult[] {
  return workloads.filter(({ comparison }) => comparison === id)
}

/** The comparisons of which anything was measured. */
export function comparisonsOf(results: Results): readonly Comparison[] {
  return COMPARISONS.filter(comparison => workloadsOf(results, comparison).length > 0)
}

/** Units of which less is better; they are shown as they are, not as ratios. */
const COSTS: readonly Unit[] = ['ms', 'MiB']

export function isCost({ unit }: WorkloadResult): boolean {
  return COSTS.includes(unit)
}

export function figures({ samples }: WorkloadResult, id: ContenderId): Summary | null {
  const values = samples[id]
  return values === undefined ? null : summarize(values)
}

/** How many times as fast as `reference` a contender is; null where one of them was not measured, or for a cost. */
export function speedup(result: WorkloadResult, id: ContenderId, reference: ContenderId): Summary | null {
  const values = result.samples[id]
  const others = result.samples[reference]
  return values === undefined || others === undefined || isCost(result) ? null : ratio(values, others)
}

export interface Verdict {
  /** "≥ 2.5 × QEMU", "FVD flat ≥ 0.95 × QED" */
  readonly wanted: string
  readonly met: boolean
  /** What was measured, where the columns of the table do not show it. */
  readonly measured: string
}

/** Null where a side was not measured. */
export function judge(result: WorkloadResult, target: Target): Verdict | null {
  const comparison = comparisonOf(result)
  const prefix = subjectPrefix(comparison, target.who)
  if ('times' in target) {
    const reached = speedup(result, target.who, target.of)
    if (reached === null) return null
    return {
      wanted: `${prefix}≥ ${target.times} × ${LABELS[target.of]}`,
      met: reached.median >= target.times,
      measured: hasColumn(comparison, target) ? '' : `${reached.median.toFixed(2)} ×`,
    }
  }
  const value = figures(result, target.who)
  if (value === null) return null
  const [sign, limit] = 'below' in target ? ['<', target.below] : ['≤', target.upTo]
  const met = 'below' in target ? value.median < limit : value.median <= limit
  return { wanted: `${prefix}${sign} ${limit} ${result.unit}`, met, measured: '' }
}
