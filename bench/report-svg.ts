import type { BarOf, Comparison } from './comparisons.js'
import { LABELS } from './contenders/contender.js'
import { machineLine, versionsLine } from './machine.js'
import { isCost, type Results, speedup, type WorkloadResult, workloadsOf } from './results.js'
import type { Summary } from './statistics.js'
import { escapeMarkup, FAINT, INK, line, round, text } from './svg.js'

/**
 * A chart of speeds as multiples of the reference's. Bars start at 1, the reference itself: to the right is faster. The
 * axis is logarithmic, so that twice as fast and half as fast are equally long.
 */

const WIDTH = 960
const LEFT = 310
const RIGHT = 80
const TOP = 104
const BAR = 13
const GAP = 16
const BOTTOM = 64
const TARGET = '#bc4c00'

/** Powers of 2 that the axis may end at; what is beyond is cut, with its figure beside it. */
const LEAST = 0.5
const MOST = 128

export function chart(results: Results, comparison: Comparison): string {
  const groups = workloadsOf(results, comparison)
    .filter(result => !isCost(result))
    .map(result => new Group(result, comparison))
    .filter(group => group.bars.length > 0)
  const axis = new Axis(groups, LABELS[comparison.chart.reference])
  const tops = groups.map((_, index) => groups.slice(0, index).reduce((sum, { height }) => sum + height, TOP))
  const height = groups.reduce((sum, group) => sum + group.height, TOP) + BOTTOM
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="system-ui, 'DejaVu Sans', sans-serif" font-size="13">`,
    `<title>${escapeMarkup(comparison.chart.title)}</title>`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    text(24, 32, comparison.chart.title, { size: 18, weight: 600 }),
    text(
      24,
      54,
      `Medians of ${results.rounds} alternating rounds; thin lines: single rounds. Further right is faster.`,
      {
        fill: FAINT,
      },
    ),
    ...legend(comparison.chart.bars),
    ...axis.lines(height),
    ...groups.flatMap((group, index) => drawGroup(group, axis, tops[index]! + GAP / 2)),
    text(24, height - 28, machineLine(results.machine), { fill: FAINT, size: 11 }),
    text(24, height - 12, versionsLine(results.machine), { fill: FAINT, size: 11 }),
    '</svg>',
    '',
  ].join('\n')
}

interface MeasuredBar extends BarOf {
  readonly summary: Summary
  /** What it is to reach, as multiples of the reference. */
  readonly targets: readonly number[]
}

/** One workload: a bar for each contender that was measured in it. */
class Group {
  readonly title: string
  readonly bars: readonly MeasuredBar[]
  readonly height: number

  constructor(result: WorkloadResult, { chart: { reference, bars } }: Comparison) {
    this.title = result.title
    const wanted = result.targets.flatMap(target => {
      if (!('times' in target)) return []
      const { who, times, of } = target
      const other = of === reference ? 1 : speedup(result, of, reference)?.median
      return other === undefined ? [] : [{ who, multiple: times * other }]
    })
    this.bars = bars.flatMap(bar => {
      const summary = speedup(result, bar.id, reference)
      if (summary === null) return []
      const targets = wanted.filter(({ who }) => who === bar.id).map(({ multiple }) => multiple)
      return [{ ...bar, summary, targets }]
    })
    this.height = this.bars.length * BAR + GAP
  }
}

class Axis {
  private readonly least: number
  private readonly most: number

  constructor(
    groups: readonly Group[],
    private readonly reference: string,
  ) {
    const bars = groups.flatMap(group => group.bars)
    const wanted = bars.flatMap(({ targets }) => targets)
    const floor = Math.min(1, ...bars.map(({ summary }) => summary.min), ...wanted)
    const ceiling = Math.max(2, ...bars.map(({ summary }) => summary.max), ...wanted)
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
      const label = value === 1 ? this.reference : `${value} ×`
      drawn.push(
        line(x, TOP - 4, x, height - BOTTOM + 4, value === 1 ? INK : '#d9dde2', value === 1 ? 1.5 : 1),
        text(x, TOP - 10, label, { fill: FAINT, size: 12, anchor: 'middle' }),
      )
    }
    return drawn
  }
}

function drawGroup({ title, bars }: Group, axis: Axis, top: number): string[] {
  const middle = top + (bars.length * BAR) / 2
  const drawn = [text(LEFT - 14, middle + 4, title, { anchor: 'end' })]
  bars.forEach(({ summary, color, targets }, index) => {
    const marks = targets.map(multiple => axis.x(multiple))
    const place = top + index * BAR
    drawn.push(...bar(summary, axis, place, { color, strong: targets.length > 0, marks }))
    for (const x of marks) drawn.push(line(x, place - 2, x, place + BAR, TARGET, 3))
  })
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
  // Beside the spread, beside the line of the reference for who is slower, and beside a target.
  let x = Math.max(axis.x(max), one) + 6
  for (const mark of marks.toSorted((a, b) => a - b)) if (mark > x - 6 && mark < x + 36) x = mark + 6
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

function legend(bars: readonly BarOf[]): string[] {
  const drawn: string[] = []
  let x = 24
  for (const { label, color } of bars) {
    drawn.push(`<rect x="${x}" y="66" width="12" height="11" fill="${color}"/>`, text(x + 18, 76, label))
    x += 38 + label.length * 7.5
  }
  drawn.push(line(x + 5, 64, x + 5, 79, TARGET, 3), text(x + 14, 76, 'target'))
  return drawn
}
