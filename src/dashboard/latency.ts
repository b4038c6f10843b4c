/** How long requests of one kind took, as counters since the mount: `counts[i]` took at most `bounds[i]` seconds. */
export interface Histogram {
  /** Ascending; the last may be null, for all. */
  readonly bounds: readonly (number | null)[]
  readonly counts: readonly number[]
}

/** What the metrics of a mount say of its requests; absent for kinds that they do not tell. */
export interface Latency {
  readonly read?: Histogram
  readonly write?: Histogram
}

/**
 * Finds the histograms of reads and writes in a text of Prometheus' format. Of several images, that of the mount as a
 * whole is told: their buckets are added up.
 */
export function latencyIn(metrics: string): Latency {
  const sums = { read: new Map<number, number>(), write: new Map<number, number>() }
  for (const line of metrics.split('\n')) {
    const [, labels, value] = BUCKET.exec(line) ?? []
    if (labels === undefined) continue
    const kind = KIND.exec(labels)?.[1]
    const bound = BOUND.exec(labels)?.[1]
    if ((kind !== 'read' && kind !== 'write') || bound === undefined) continue
    const limit = bound === '+Inf' ? Number.POSITIVE_INFINITY : Number(bound)
    const count = Number(value)
    if (Number.isNaN(limit) || !Number.isFinite(count)) continue
    sums[kind].set(limit, (sums[kind].get(limit) ?? 0) + count)
  }
  return {
    ...(sums.read.size > 0 && { read: histogram(sums.read) }),
    ...(sums.write.size > 0 && { write: histogram(sums.write) }),
  }
}

const BUCKET = /^rawmount_request_duration_seconds_bucket\{(.*)\}[ \t]+(\S+)/
const KIND = /(?:^|,)op="(\w+)"/
const BOUND = /(?:^|,)le="([^"]+)"/

function histogram(buckets: ReadonlyMap<number, number>): Histogram {
  const sorted = [...buckets].toSorted(([one], [other]) => one - other)
  return {
    // JSON has no infinity.
    bounds: sorted.map(([bound]) => (Number.isFinite(bound) ? bound : null)),
    counts: sorted.map(([, count]) => count),
  }
}
