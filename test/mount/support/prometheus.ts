/**
 * A strict reader of the text format of Prometheus, version 0.0.4: throws at the first line that a server would refuse, or
 * that `promtool check metrics` would complain of.
 */
export interface Family {
  readonly name: string
  readonly type: string
  readonly help: string
  readonly samples: Sample[]
}

export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

const SUFFIXES: Record<string, readonly string[]> = {
  counter: [''],
  gauge: [''],
  summary: ['_sum', '_count'],
  histogram: ['_bucket', '_sum', '_count'],
}

export function families(text: string): Family[] {
  if (!text.endsWith('\n')) throw new Error('the last line does not end')
  const found: Family[] = []
  let help: [name: string, text: string] | null = null
  for (const line of text.slice(0, -1).split('\n')) {
    const [, keyword, name = '', rest = ''] = /^# (HELP|TYPE) ([a-z_]+) (.+)$/.exec(line) ?? []
    if (keyword === 'HELP') {
      if (found.some(family => family.name === name)) throw new Error(`${name}: twice`)
      help = [name, unescaped(rest, /\\[\\n]/g)]
    } else if (keyword === 'TYPE') {
      if (help?.[0] !== name || SUFFIXES[rest] === undefined) throw new Error(`no help before: ${line}`)
      if ((rest === 'counter') !== name.endsWith('_total')) throw new Error(`the name of a ${rest}: ${name}`)
      found.push({ name, type: rest, help: help[1], samples: [] })
    } else {
      addSample(found.at(-1), line)
    }
  }
  for (const family of found) check(family)
  return found
}

function addSample(family: Family | undefined, line: string): void {
  const [, name = '', all, number = ''] = /^([a-z_]+)(?:\{(.+)\})? +(\S+)$/.exec(line) ?? []
  if (family === undefined || !SUFFIXES[family.type]!.some(suffix => name === family.name + suffix))
    throw new Error(`no sample of the family before: ${line}`)
  if (!/^(\d+(\.\d+)?|NaN|\+Inf)$/.test(number)) throw new Error(`no number: ${line}`)
  const labels: Record<string, string> = {}
  let left = all ?? ''
  while (left !== '') {
    const [whole, key = '', value = ''] = /^([a-z_]+)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/.exec(left) ?? []
    if (whole === undefined || key in labels) throw new Error(`labels: ${line}`)
    labels[key] = unescaped(value, /\\["\\n]/g)
    left = left.slice(whole.length)
  }
  family.samples.push({ name, labels, value: number === '+Inf' ? Number.POSITIVE_INFINITY : Number(number) })
}

function unescaped(text: string, escapes: RegExp): string {
  return text.replace(escapes, ([, letter]) => (letter === 'n' ? '\n' : letter!))
}

function check({ name, type, samples }: Family): void {
  if (samples.length === 0) throw new Error(`${name}: no samples`)
  const keys = samples.map(sample => JSON.stringify([sample.name, sample.labels]))
  if (new Set(keys).size !== keys.length) throw new Error(`${name}: a sample is there twice`)
  if (type !== 'histogram') return
  const series: Record<string, Sample[]> = {}
  for (const sample of samples) {
    const { le: _, ...labels } = sample.labels
    const key = JSON.stringify(labels)
    series[key] = [...(series[key] ?? []), sample]
  }
  for (const all of Object.values(series)) {
    const buckets = all.filter(sample => sample.name === `${name}_bucket`)
    const bounds = buckets.map(({ labels: { le } }) =>
      le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le),
    )
    if (bounds.some((bound, at) => !(bound > (bounds[at - 1] ?? 0))))
      throw new Error(`${name}: bounds ${bounds}`)
    if (bounds.at(-1) !== Number.POSITIVE_INFINITY) throw new Error(`${name}: no last bucket`)
    if (buckets.some(({ value }, at) => value < (buckets[at - 1]?.value ?? 0)))
      throw new Error(`${name}: falls`)
    const count = all.find(sample => sample.name === `${name}_count`)
    if (count?.value !== buckets.at(-1)!.value) throw new Error(`${name}: the count is not the last bucket`)
  }
}
