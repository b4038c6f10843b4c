/**
 * Writes metrics in the text format of Prometheus, version 0.0.4: families of samples, each with its help and type in front.
 * Every number is as wide as the widest can be, so that the text keeps its size while what it says changes: programs ask
 * for the size of a file first, and then read as many bytes.
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/
 */

export type Labels = Readonly<Record<string, string>>

/** A value with what tells it from the others of its family. */
export type Sample = readonly [labels: Labels, value: number]

interface Buckets {
  readonly labels: Labels
  /** Upper bounds, ascending, the last one Infinity; and how many fell into each bucket alone. */
  readonly bounds: readonly number[]
  readonly counts: readonly number[]
  readonly sum: number
}

/** That of a time in seconds since 1970, to the microsecond. */
const WIDTH = '1700000000.000000'.length

export class Exposition {
  private readonly lines: string[] = []

  /** What only grows; its name ends in _total. Families without samples are left out, here and below. */
  counter(name: string, help: string, samples: readonly Sample[]): void {
    this.family(name, 'counter', help, samples)
  }

  /** What goes up and down. */
  gauge(name: string, help: string, samples: readonly Sample[]): void {
    this.family(name, 'gauge', help, samples)
  }

  /** How often something happened, and the sum of it. */
  summary(
    name: string,
    help: string,
    samples: readonly (readonly [Labels, count: number, sum: number])[],
  ): void {
    if (samples.length === 0) return
    this.head(name, 'summary', help)
    for (const [labels, count, sum] of samples) {
      this.sample(`${name}_sum`, labels, sum)
      this.sample(`${name}_count`, labels, count)
    }
  }

  histogram(name: string, help: string, all: readonly Buckets[]): void {
    if (all.length === 0) return
    this.head(name, 'histogram', help)
    for (const { labels, bounds, counts, sum } of all) {
      let below = 0
      bounds.forEach((bound, index) => {
        below += counts[index]!
        this.sample(`${name}_bucket`, { ...labels, le: numeral(bound) }, below)
      })
      this.sample(`${name}_sum`, labels, sum)
      this.sample(`${name}_count`, labels, below)
    }
  }

  text(): string {
    return this.lines.map(line => `${line}\n`).join('')
  }

  private family(name: string, type: string, help: string, samples: readonly Sample[]): void {
    if (samples.length === 0) return
    this.head(name, type, help)
    for (const [labels, value] of samples) this.sample(name, labels, value)
  }

  private head(name: string, type: string, help: string): void {
    this.lines.push(`# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`)
    this.lines.push(`# TYPE ${name} ${type}`)
  }

  private sample(name: string, labels: Labels, value: number): void {
    const pairs = Object.entries(labels).map(([key, text]) => `${key}="${quoted(text)}"`)
    const shown = pairs.length === 0 ? '' : `{${pairs.join(',')}}`
    this.lines.push(`${name}${shown} ${numeral(value).padStart(WIDTH)}`)
  }
}

function quoted(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}

function numeral(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf'
  // Microseconds are the finest that is measured; and no exponent, which could be of any width.
  return Number.isInteger(value) || Number.isNaN(value) ? `${value}` : value.toFixed(6)
}
