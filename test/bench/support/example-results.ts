import { COMPARISONS, type ComparisonId } from '../../../bench/comparisons.js'
import type { Results, WorkloadResult } from '../../../bench/results.js'

export const [qed, fvd] = (['qed', 'fvd'] satisfies ComparisonId[]).map(
  wanted => COMPARISONS.find(({ id }) => id === wanted)!,
) as [(typeof COMPARISONS)[number], (typeof COMPARISONS)[number]]

export const reads: WorkloadResult = {
  id: 'reads',
  comparison: 'qed',
  title: 'random reads',
  unit: 'IOPS',
  targets: [{ who: 'rawmount', times: 2.5, of: 'qemu' }],
  samples: {
    qemu: [10_000, 12_000, 11_000],
    rawmount: [33_000, 30_000, 33_000],
    libfuse: [5500, 5500, 5500],
  },
}

export const copies: WorkloadResult = {
  id: 'copies',
  comparison: 'qed',
  title: 'copies',
  unit: 'IOPS',
  targets: [
    { who: 'rawmount', times: 2, of: 'qemu' },
    { who: 'rawmount', times: 0.7, of: 'bare' },
  ],
  samples: { bare: [8000], qemu: [1000], rawmount: [4000] },
}

export const mounting: WorkloadResult = {
  id: 'mounting',
  comparison: 'qed',
  title: 'time to mount',
  unit: 'ms',
  targets: [{ who: 'rawmount', below: 500 }],
  samples: { qemu: [20], rawmount: [250] },
}

export const fvdWrites: WorkloadResult = {
  id: 'fvd-writes',
  comparison: 'fvd',
  title: 'writes of FVD',
  unit: 'IOPS',
  targets: [
    { who: 'fvd-flat', times: 0.95, of: 'qed' },
    { who: 'fvd-compact', times: 0.95, of: 'qed' },
    { who: 'fvd-compact', times: 0.7, of: 'raw' },
  ],
  samples: { raw: [8000], qcow2: [1000], qed: [2000], 'fvd-flat': [1000], 'fvd-compact': [4000] },
}

export const results: Results = {
  date: '2026-01-02T03:04:05.678Z',
  machine: {
    processor: 'Abacus <9000>',
    processors: 2,
    virtualMachine: true,
    memoryGiB: 8,
    system: 'Debian',
    kernel: '6.1',
    fileSystem: 'xfs',
    loadAtStart: 0.1,
    versions: { node: '20.0.0', qemu: '7.2', fio: '3.33', rawmount: '0.1.0' },
  },
  rounds: 3,
  seconds: 2,
  size: 2 ** 30,
  commands: {},
  workloads: [reads, copies, mounting, fvdWrites],
  copying: null,
  toolbox: null,
}
