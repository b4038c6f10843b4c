/**
 * The time that `share` of the requests between two looks took at most, in seconds; null when there were none.
 * Histograms are { bounds, counts }: so many took at most so many seconds, since the mount; the last bound may be null.
 */
export function quantile(before, after, share) {
  if (!before || !after || before.counts.length !== after.counts.length) return null
  const counts = after.counts.map((all, index) => all - before.counts[index])
  const wanted = counts.at(-1) * share
  if (!(wanted > 0)) return null
  const index = counts.findIndex(all => all >= wanted)
  const low = index === 0 ? 0 : after.bounds[index - 1]
  const high = after.bounds[index]
  // Above the highest bound, nobody knows how far.
  if (high === null) return low
  const below = index === 0 ? 0 : counts[index - 1]
  return low + ((high - low) * (wanted - below)) / (counts[index] - below)
}
