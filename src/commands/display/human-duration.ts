const UNITS = [
  ['d', 86_400],
  ['h', 3600],
  ['min', 60],
  ['s', 1],
] as const

/** "42 s", "2 min 5 s", "3 h 12 min": whole seconds, in the two largest units. */
export function humanDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  const first = UNITS.findIndex(([, length]) => whole >= length)
  if (first < 0) return '0 s'
  const [unit, length] = UNITS[first]!
  const major = `${Math.floor(whole / length)} ${unit}`
  const next = UNITS[first + 1]
  if (next === undefined) return major
  const minor = Math.floor((whole % length) / next[1])
  return minor === 0 ? major : `${major} ${minor} ${next[0]}`
}
