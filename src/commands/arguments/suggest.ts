/** The known word that `word` is most likely a slip of; null when none is near. */
export function suggest(word: string, known: Iterable<string>): string | null {
  let best: string | null = null
  // A third of the letters may be wrong: beyond that a guess is more confusing than none.
  let bestDistance = Math.floor(Math.max(word.length, 3) / 3) + 0.5
  for (const candidate of known) {
    const distance = candidate.startsWith(word) && word.length > 2 ? 0.25 : editDistance(word, candidate)
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

/** Letters to insert, drop, replace or swap with their neighbour. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1]
      let cost = Math.min(last[column]! + 1, current[column - 1]! + 1, last[column - 1]! + (same ? 0 : 1))
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        cost = Math.min(cost, beforeLast[column - 2]! + 1)
      }
      current.push(cost)
    }
    beforeLast = last
    last = current
  }
  return last[b.length]!
}
