import type { Bench, Lane } from './bench.js'
import type { ContenderId } from './contenders/contender.js'
import type { WorkloadResult } from './results.js'
import type { Workload } from './workloads.js'

/**
 * Measures a workload in alternating rounds, A B C A B C: what the machine does meanwhile hits all contenders alike.
 * Each sample is told to `heard` as it comes.
 */
export async function measure(
  bench: Bench,
  workload: Workload,
  rounds: number,
  heard: (id: ContenderId, round: number, value: number) => void,
): Promise<WorkloadResult> {
  const { id, comparison, title, unit, targets } = workload
  const lanes = new Map<ContenderId, Lane>()
  const samples: Partial<Record<ContenderId, number[]>> = {}
  for (const [contender, open] of workload.lanes) {
    lanes.set(contender, await open(bench))
    samples[contender] = []
  }
  for (let round = 0; round < Math.min(rounds, workload.rounds ?? rounds); round++) {
    for (const [contender, lane] of lanes) {
      const value = await lane.measure(round)
      samples[contender]!.push(value)
      heard(contender, round, value)
    }
  }
  for (const lane of lanes.values()) await lane.close()
  return { id, comparison, title, unit, targets, samples }
}
