import type { ContenderId } from './contenders/contender.js'
import { machineLine, versionsLine } from './machine.js'
import { isCost, type Results, speedup, type WorkloadResult } from './results.js'
import type { Summary } from './statistics.js'

/**
 * A chart of speeds as multiples of QEMU's. Bars start at 1, QEMU itself: to the right is faster. The axis is
 * logarithmic, so that twice as fast and half as fast are equally long.
 */

const BARS: readonly { readonly id: ContenderId; readonly label: string; readonly color: string }[] = [
  { id: 'rawmount', label: 'rawmount', color: '#1f6feb' },
  { id: 'libfuse', label: 'rawmount --transport libfuse', color: '#8bb8f8' },
  { id: 'raw', label: 'a raw file itself', color: '#c4c9d0' },
]

const WIDTH = 960
const LEFT = 290
const RIGHT = 80
const TOP = 104
const BAR = 13
const GAP = 16
const GROUP = BARS.length * BAR + GAP
const BOTTOM = 64
const INK = '#1f2328'
const FAINT = '#59636e'
const TARGET = '#bc4c00'

/** Powers of 2 that the axis may end at; what is beyond is cut, with its figure beside it. */
const LEAST = 0.5
const MOST = 128

export function chart(results: Results): string {
  const groups = results.workloads.filter(result => !isCost(result) && speedup(result, 'rawmount') !== null)
  const axis = new Axis(groups)
  const height = TOP + groups.length * GROUP + BOTTOM
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="system-ui, 'DejaVu Sans', sans-serif" font-size="13">`,
    '<title>Speed of rawmount beside QEMU’s FUSE export, workload by workload</title>',
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    text(24, 32, 'Speed as a multiple of qemu-storage-daemon --export fuse', { size: 18, weight: 600 }),
    text(
      24,
      54,
      `Medians of ${results.rounds} alternating rounds; thin lines: single rounds. Further right is faster.`,
      {
        fill: FAINT,
      },
    ),
    ...legend(),
    ...axis.lines(height),
    ...groups.flatMap((group, index) => groupOfBars(group, axis, TOP + index * GROUP + GAP / 2)),
    text(24, height - 28, machineLine(results.machine), { fill: FAINT, size: 11 }),
    text(24, height - 12, versionsLine(results.machine), { fill: FAINT, size: 11 }),
    '</svg>',
    '',
  ].join('\n')
}

class Axis {
  private readonly least: number
  private readonly most: number

  constructor(groups: readonly WorkloadResult[]) {
    const shown = groups.flatMap(group => BARS.map(({ id }) => speedup(group, id)).filter(s => s !== null))
    const wanted = groups.flatMap(({ targets }) =>
      targets.map(target => ('times' in target ? target.times : 1)),
    )
    const floor = Math.min(1, ...shown.map(({ min }) => min))
    const ceiling = Math.max(2, ...shown.map(({ max }) => max), ...wanted)
    this.least = Math.max(LEAST, 2 ** Math.floor(Math.log2(floor)))
    this.most = Math.min(MOST, 2 ** Math.ceil(Math.log2(ceiling)))
  }

  x(value: number): number {
    const cut = Math.min(Math.max(value, this.least), this.most)
    const share = Math.log2(cut / this.least) / Math.log2(this.most / this.least)
    return LEFT + share * (WIDTH - LEFT - RIGHT)
  }

  lines(height: number): string[] {
    const drawn: string[] = []
    for (let value = this.least; value <= this.most; value *= 2) {
      const x = this.x(value)
      drawn.push(
        line(x, TOP - 4, x, height - BOTTOM + 4, value === 1 ? INK : '#d9dde2', value === 1 ? 1.5 : 1),
        text(x, TOP - 10, value === 1 ? 'QEMU' : `${value} ×`, { fill: FAINT, size: 12, anchor: 'middle' }),
      )
    }
    return drawn
  }
}

function groupOfBars(result: WorkloadResult, axis: Axis, top: number): string[] {
  const middle = top + (BARS.length * BAR) / 2
  const drawn = [text(LEFT - 14, middle + 4, result.title, { anchor: 'end' })]
  const marks = result.targets
    .filter(target => 'times' in target && target.of === 'qemu')
    .map(target => axis.x('times' in target ? target.times : 1))
  BARS.forEach(({ id, color }, index) => {
    const summary = speedup(result, id)
    if (summary === null) return
    const strong = id === 'rawmount'
    drawn.push(...bar(summary, axis, top + index * BAR, { color, strong, marks: strong ? marks : [] }))
  })
  for (const x of marks) drawn.push(line(x, top - 3, x, top + BAR + 1, TARGET, 3))
  return drawn
}

interface BarStyle {
  readonly color: string
  readonly strong: boolean
  /** Where targets are drawn, which the figure must not hide. */
  readonly marks: readonly number[]
}

function bar(
  { median, min, max }: Summary,
  axis: Axis,
  top: number,
  { color, strong, marks }: BarStyle,
): string[] {
  const [one, end] = [axis.x(1), axis.x(median)]
  const middle = top + BAR / 2 - 0.5
  const label = `${median.toFixed(median < 10 ? 1 : 0)} ×`
  // Beside the spread, beside the line of QEMU for who is slower, and beside a target.
  let x = Math.max(axis.x(max), one) + 6
  for (const mark of marks) if (mark > x - 6 && mark < x + 36) x = mark + 6
  return [
    `<rect class="bar" x="${round(Math.min(one, end))}" y="${top}" width="${round(Math.abs(end - one))}" height="${BAR - 2}" fill="${color}"/>`,
    line(axis.x(min), middle, axis.x(max), middle, INK, 1),
    text(x, top + BAR - 3, label, {
      size: 11,
      weight: strong ? 600 : 400,
      halo: true,
    }),
  ]
}

function legend(): string[] {
  const drawn: string[] = []
  let x = 24
  for (const { label, color } of BARS) {
    drawn.push(`<rect x="${x}" y="66" width="12" height="11" fill="${color}"/>`, text(x + 18, 76, label))
    x += 38 + label.length * 7.5
  }
  drawn.push(line(x + 5, 64, x + 5, 79, TARGET, 3), text(x + 14, 76, 'target for rawmount'))
  return drawn
}

interface TextStyle {
  readonly size?: number
  readonly weight?: number
  readonly fill?: string
  readonly anchor?: 'start' | 'middle' | 'end'
  /** White around the letters, where they may lie on lines. */
  readonly halo?: boolean
}

function text(x: number, y: number, content: string, style: TextStyle = {}): string {
  const { size = 13, weight = 400, fill = INK, anchor = 'start', halo = false } = style
  const outline = halo ? ' stroke="#ffffff" stroke-width="3" paint-order="stroke"' : ''
  return `<text x="${round(x)}" y="${round(y)}" font-size="${size}" font-weight="${weight}" fill="${fill}" text-anchor="${anchor}"${outline}>${escapeMarkup(content)}</text>`
}

function line(x1: number, y1: number, x2: number, y2: number, stroke: string, width: number): string {
  return `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" stroke="${stroke}" stroke-width="${width}"/>`
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}

function escapeMarkup(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
