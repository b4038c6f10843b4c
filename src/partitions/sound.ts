import type { Partition } from './table.js'

/**
 * The partitions that can be shown. One that lies beyond the end of the disk, in whole or in part, is left out:
 * what is missing of it is missing of its file system. Partitions that overlap are shown, as Linux shows them,
 * and named.
 */
export function soundPartitions(
  partitions: readonly Partition[],
  diskSize: number,
  warn: (line: string) => void,
): Partition[] {
  const shown = partitions.filter(partition => {
    const end = partition.offset + (partition.span ?? partition.size)
    if (Number.isSafeInteger(end) && end <= diskSize) return true
    warn(`partition ${partition.number} reaches beyond the end of the disk; it is not shown`)
    return false
  })
  // Logical partitions lie within the extended one, and only there; other primary ones must not.
  const primary = shown.filter(({ number, type }) => number <= 4 && type.startsWith('0x'))
  const overlaps = new Set([
    ...overlapping(shown, ({ size }) => size),
    ...overlapping(primary, ({ size, span }) => span ?? size),
  ])
  for (const overlap of overlaps) warn(overlap)
  return shown.sort((a, b) => a.number - b.number)
}

function overlapping(partitions: readonly Partition[], sizeOf: (partition: Partition) => number): string[] {
  const found: string[] = []
  const endOf = (partition: Partition): number => partition.offset + sizeOf(partition)
  // Of those before, the one that reaches furthest.
  let furthest: Partition | null = null
  for (const partition of [...partitions].sort((a, b) => a.offset - b.offset || a.number - b.number)) {
    if (furthest !== null && partition.offset < endOf(furthest)) {
      const [first, second] = [furthest.number, partition.number].sort((a, b) => a - b)
      found.push(`partitions ${first} and ${second} overlap`)
    }
    if (furthest === null || endOf(partition) > endOf(furthest)) furthest = partition
  }
  return found
}
