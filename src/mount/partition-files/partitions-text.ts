import type { Partition, PartitionTable } from '../../partitions/table.js'
import { partitionFileName } from './partition-files.js'

/** What .rawmount/partitions.json says. Offsets and sizes in bytes. */
export interface PartitionsText extends Omit<PartitionTable, 'partitions' | 'watched'> {
  readonly partitions: readonly (Partition & { readonly file: string })[]
}

/** The text; `read` throws where the disk cannot be read, which is said in the place of the table. */
export function renderPartitions(read: () => PartitionTable): string {
  return `${JSON.stringify(describe(read), null, 2)}\n`
}

function describe(read: () => PartitionTable): PartitionsText {
  try {
    const { scheme, sectorSize, source, partitions, warnings } = read()
    return {
      scheme,
      sectorSize,
      source,
      partitions: partitions.map(partition => ({ file: partitionFileName(partition.number), ...partition })),
      warnings,
    }
  } catch (error) {
    const warnings = [`the partition table cannot be read: ${(error as Error).message}`]
    return { scheme: 'none', sectorSize: 512, source: 'primary', partitions: [], warnings }
  }
}
