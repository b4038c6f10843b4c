import { describeErrno } from '../../libc/errno.js'
import { hasFolders } from '../../mount/outside/read-status.js'
import type {
  FolderFacts,
  FoldersStatus,
  Latency,
  MountFacts,
  MountStatus,
} from '../../mount/status/status.js'
import { humanDuration } from './human-duration.js'
import { humanSize } from './human-size.js'
import { bar, percent } from './progress-bar.js'
import { oneLine } from './report.js'
import type { StatusSample } from './status-rates.js'

/** Where values begin, and where what is behind a rate or a state begins. */
const LABEL = 16
const VALUE = 12

/** Columns that the words beside the bar take. */
const BESIDE_BAR = 46

/** For people: about a dozen lines. Only names make a line longer than `columns`. */
export function statusView(sample: StatusSample, columns: number): string[] {
  const { status } = sample
  const lines = hasFolders(status) ? foldersView(sample, status) : imageView(sample, status, columns)
  return lines.map(oneLine)
}

function imageView(sample: StatusSample, status: MountStatus, columns: number): string[] {
  const { rates } = sample
  const { bytes, metadata } = status
  const lines = [...identity(status), '', ...requestLines(sample)]
  if (!status.readOnly) {
    lines.push(
      row(
        'written',
        perSecond(rates.written),
        `${humanSize(bytes.written)}; ${count(metadata.commits, 'commit')}, ${count(metadata.pending, 'change')} of tables to come`,
      ),
    )
  }
  if (status.baseWrites !== null) lines.push(row('write base', ...writesToBase(status.baseWrites)))
  if (status.base !== null) lines.push('', ...filling(sample, status, columns))
  return lines
}

function foldersView(sample: StatusSample, status: FoldersStatus): string[] {
  const { images, failed, bytes } = status
  const width = Math.max(...images.map(({ folder }) => folder.length))
  return [
    ...images.map(({ folder, ...image }) => row('image', folder.padEnd(width), imageWords(image))),
    ...failed.map(({ reason }) => row('left out', reason)),
    ...service(status),
    '',
    ...requestLines(sample),
    row('written', perSecond(sample.rates.written), humanSize(bytes.written)),
  ]
}

function requestLines({ status: { requests, bytes, errors, latency }, rates }: StatusSample): string[] {
  return [
    row(
      'requests',
      `${Math.round(rates.requests)}/s`,
      [
        count(requests.reads, 'read'),
        count(requests.writes, 'write'),
        count(requests.syncs, 'flush', 'flushes'),
        count(errors, 'error'),
      ].join(', '),
    ),
    ...(latency === null ? [] : latencyLines(latency)),
    row('read', perSecond(rates.read), humanSize(bytes.read)),
  ]
}

/** None before the first request of those kinds. */
function latencyLines(latency: Latency): string[] {
  const shown = (['read', 'write', 'sync'] as const).filter(kind => latency[kind].p50 > 0)
  if (shown.length === 0) return []
  const words = (part: 'p50' | 'p99') =>
    shown.map(kind => `${kind} ${duration(latency[kind][part])}`).join(', ')
  return [row('latency', 'half below', words('p50')), row('', '99% below', words('p99'))]
}

/** Of microseconds. */
function duration(microseconds: number): string {
  if (microseconds < 1000) return `${microseconds} µs`
  return microseconds < 1e6 ? `${Math.round(microseconds / 1000)} ms` : `${Math.round(microseconds / 1e6)} s`
}

function writesToBase(writes: NonNullable<MountStatus['baseWrites']>): [string, string] {
  const { mode, behind, errno } = writes
  const failing = errno === 0 ? '' : `; it fails: ${describeErrno(errno)}`
  return [mode, `${behind === 0 ? 'the base has everything' : `${humanSize(behind)} to come`}${failing}`]
}

function identity(status: MountStatus): string[] {
  const { chain, overlay } = status
  const [, ...below] = chain
  const base = below[overlay === null ? 0 : 1]
  return [
    row('image', imageWords(status)),
    ...(overlay === null ? [] : [row('overlay', `${overlay} (${chain[0]!.format})`)]),
    ...(base === undefined ? [] : [row('base', `${base.filename} (${base.format})`)]),
    ...service(status),
  ]
}

function imageWords({ image, format, virtualSize, readOnly }: Omit<FolderFacts, 'folder'>): string {
  return `${image} (${format}, ${humanSize(virtualSize)}${readOnly ? ', read-only' : ''})`
}

function service({ mountpoint, mounted, pid, transport, threads, cache }: MountFacts): string[] {
  const seconds = (Date.now() - Date.parse(mounted)) / 1000
  return [
    row('mounted on', `${mountpoint}, ${humanDuration(seconds)} ago`),
    row('served by', `process ${pid}: ${transport}, ${count(threads, 'thread')}, cache ${cache}`),
  ]
}

function filling({ rates, secondsLeft }: StatusSample, status: MountStatus, columns: number): string[] {
  const { prefetch, copyOnRead } = status
  const base = status.base!
  const left = secondsLeft === null ? '' : `, ${humanDuration(secondsLeft)} left`
  const lines = [
    row('in the image', howFull(base, columns)),
    row(
      'still in base',
      base.remaining === null ? 'is being counted' : `${humanSize(base.remaining)}${left}`,
    ),
    row('from base', perSecond(rates.base), `${humanSize(base.read)}; ${count(base.errors, 'error')}`),
    row('prefetch', prefetch.state, `${humanSize(prefetch.copied)} copied`),
  ]
  if (prefetch.reason !== null) lines.push(row('', `(${prefetch.reason})`))
  const { on, copied, skipped, queued } = copyOnRead
  lines.push(
    row(
      'copy-on-read',
      on ? 'on' : 'off',
      `${humanSize(copied)} copied, ${humanSize(skipped)} not kept, ${humanSize(queued)} waiting`,
    ),
  )
  return lines
}

function howFull({ remaining, total }: NonNullable<MountStatus['base']>, columns: number): string {
  if (remaining === null) return `? of ${humanSize(total)}`
  const done = Math.max(0, total - remaining)
  const width = Math.min(40, Math.max(10, columns - BESIDE_BAR))
  return `${bar(done, total, width)} ${percent(done, total)}  ${humanSize(done)} of ${humanSize(total)}`
}

/** One line of a log: when, the state of prefetching, how far, and the rates. */
export function statusLine({ status, rates, secondsLeft }: StatusSample, now: Date): string {
  const { prefetch, base } = hasFolders(status) ? NOT_FILLED : status
  const words = [
    `${now.toTimeString().slice(0, 8)}  ${Math.round(rates.requests)} requests/s, ${perSecond(rates.read)} read, ${perSecond(rates.written)} written`,
  ]
  if (prefetch !== null && base !== null) {
    words.push(
      `prefetch ${prefetch.state}`,
      base.remaining === null ? '?' : percent(base.total - base.remaining, base.total).trim(),
      `${perSecond(rates.base)} from base`,
    )
    if (secondsLeft !== null) words.push(`${humanDuration(secondsLeft)} left`)
    if (prefetch.reason !== null) words.push(prefetch.reason)
  }
  return oneLine(words.join(', '))
}

const NOT_FILLED = { prefetch: null, base: null }

/** status.json, and the rates. */
export function statusJson({ status, rates, secondsLeft }: StatusSample): Record<string, unknown> {
  const rounded = Object.fromEntries(Object.entries(rates).map(([key, rate]) => [key, Math.round(rate)]))
  return { ...status, rates: rounded, secondsLeft: secondsLeft === null ? null : Math.round(secondsLeft) }
}

function row(label: string, value: string, more = ''): string {
  return `${label.padEnd(LABEL)}${more === '' ? value : `${value.padEnd(VALUE)}  ${more}`}`.trimEnd()
}

function perSecond(rate: number): string {
  return `${humanSize(Math.round(rate))}/s`
}

function count(number: number, one: string, many = `${one}s`): string {
  return `${number === 0 ? 'no' : number} ${number === 1 ? one : many}`
}
