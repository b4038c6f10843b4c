import type { Cells } from '../disk/cells.js'
import type { Region } from './facts.js'

/** How the cells lie on the page: rows from left to right. Pixels. */
export class Grid {
  static readonly WIDTH = 896
  readonly columns: number
  readonly rows: number
  readonly cellWidth: number
  readonly rowHeight: number

  constructor(readonly count: number) {
    const [columns, rowHeight] = SHAPES.find(([, , most]) => count <= most) ?? SHAPES.at(-1)!
    this.columns = columns
    this.rows = Math.max(1, Math.ceil(count / columns))
    this.cellWidth = Grid.WIDTH / columns
    this.rowHeight = rowHeight
  }

  get height(): number {
    return this.rows * this.rowHeight
  }

  /** The cells of a row: the first, and the one behind the last. */
  row(index: number): readonly [first: number, end: number] {
    const first = index * this.columns
    return [first, Math.min(first + this.columns, this.count)]
  }
}

/** Columns, height of a row, and how many cells at most lie so. */
const SHAPES = [
  [32, 28, 256],
  [64, 14, 1024],
  [128, 10, Number.POSITIVE_INFINITY],
] as const

/** A stretch of a row, in pixels. */
export interface Segment {
  start: number
  length: number
}

/**
 * What is to be drawn of each region in a row. A cell of several kinds is divided in their proportion, and a kind that
 * has any part of it has a pixel at least: a little data in a large cell is what people look for.
 */
export function segmentsOf(cells: Cells, grid: Grid, row: number, regions: readonly Region[]): Segment[][] {
  const drawn: Segment[][] = regions.map(() => [])
  const [first, end] = grid.row(row)
  for (let cell = first; cell < end; cell++) {
    const widths = divide(
      grid.cellWidth - 1,
      regions.map(({ kind }) => cells.bytes(cell, kind)),
    )
    let x = (cell - first) * grid.cellWidth
    const last = widths.findLastIndex(width => width > 0)
    widths.forEach((width, index) => {
      if (width === 0) return
      // The gap between two cells is drawn over all of them, so that equal neighbours are one stretch.
      append(drawn[index]!, x, index === last ? width + 1 : width)
      x += width
    })
  }
  return drawn
}

function append(segments: Segment[], start: number, length: number): void {
  const before = segments.at(-1)
  if (before !== undefined && before.start + before.length === start) before.length += length
  else segments.push({ start, length })
}

/** `whole` pixels in the proportion of `parts`, at least one for each part that is not 0 as long as there are some. */
export function divide(whole: number, parts: readonly number[]): number[] {
  const total = parts.reduce((sum, part) => sum + part, 0)
  if (total === 0) return parts.map(() => 0)
  const exact = parts.map(part => (part * whole) / total)
  const widths = exact.map(width => (width > 0 ? Math.max(1, Math.floor(width)) : 0))
  // What rounding left over goes to who lacks most; what it took too much comes from who has most to spare.
  let missing = whole - widths.reduce((sum, width) => sum + width, 0)
  for (; missing > 0; missing--) widths[best(exact.map((width, at) => width - widths[at]!))]!++
  for (; missing < 0; missing++) {
    const least = widths.some(width => width > 1) ? 1 : 0
    widths[best(exact.map((width, at) => (widths[at]! > least ? widths[at]! - width : -whole)))]!--
  }
  return widths
}

function best(values: readonly number[]): number {
  return values.indexOf(Math.max(...values))
}
