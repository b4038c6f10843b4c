/** Milliseconds: long enough to be steady, short enough to follow. */
const STEADY = 10_000

/** How fast a number grows, over the last `window` milliseconds, or since the sample before. */
export class Pace {
  private readonly samples: { readonly time: number; readonly value: number }[] = []

  constructor(private readonly window = STEADY) {}

  /** `time`: milliseconds of a clock that only goes forward. */
  add(time: number, value: number): void {
    this.samples.push({ time, value })
    while (this.samples.length > 2 && time - this.samples[1]!.time >= this.window) this.samples.shift()
  }

  /** Per second; 0 before there are two samples. */
  get rate(): number {
    const first = this.samples[0]
    const last = this.samples.at(-1)
    if (first === undefined || last === undefined || last.time === first.time) return 0
    return (Math.max(0, last.value - first.value) * 1000) / (last.time - first.time)
  }
}

/** Null where nobody can say. */
export function secondsLeft(remaining: number | null, rate: number): number | null {
  if (remaining === 0) return 0
  return remaining === null || rate <= 0 ? null : remaining / rate
}
