export interface Summary {
  readonly median: number
  readonly min: number
  readonly max: number
}

export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('no values have a median')
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

export function summarize(values: readonly number[]): Summary {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) }
}

/**
 * How many times as much `values` is as `reference`: of the medians, and the least and most within one round. Both
 * have a value for each round: what the machine did to one round, it did to both.
 */
export function ratio(values: readonly number[], reference: readonly number[]): Summary {
  if (values.length !== reference.length) throw new RangeError('ratios need the same rounds on both sides')
  const rounds = values.map((value, round) => value / reference[round]!)
  return {
    median: median(values) / median(reference),
    min: Math.min(...rounds),
    max: Math.max(...rounds),
  }
}
