import { humanSize } from '../sizes.js'
import { type PictureFacts, percent, type Region, regionsOf } from './facts.js'
import { divide, Grid, segmentsOf } from './grid.js'
import { escapeMarkup, shortened } from './markup.js'
import { FONT, PICTURE_STYLE } from './style.js'

/**
 * The picture of a disk: its cells, row by row, the use of the file, and a legend. Stands alone, in light and dark; the same
 * image makes the same text. Each row, and each part of the file, has a title that says what is there.
 */

export const LEFT = 72
export const TOP = 92
const RIGHT = 32
const WIDTH = LEFT + Grid.WIDTH + RIGHT
const LINE = 22
/** Rows between two offsets at the margin. */
const LABELLED = 8

export function svgPicture(facts: PictureFacts): string {
  const { cells, title, format, notes } = facts
  const regions = regionsOf(facts)
  const grid = new Grid(cells.count)
  const lower = new Lower(TOP + grid.height + 20)
  lower.legend(regions, cells.size)
  if (facts.storage !== null) lower.storage(facts)
  for (const note of notes) lower.note(note)
  const height = lower.bottom + 12
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" class="picture" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="${FONT}" font-size="13" role="img" aria-labelledby="title desc">`,
    `<title id="title">${escapeMarkup(title)}</title>`,
    `<desc id="desc">${escapeMarkup(inWords(regions, cells.size))}</desc>`,
    `<style>${PICTURE_STYLE}</style>`,
    `<rect class="paper" width="${WIDTH}" height="${height}"/>`,
    `<text class="ink" x="${LEFT}" y="42" font-size="20" font-weight="600">${escapeMarkup(shortened(title, 80))}</text>`,
    `<text class="faint" x="${LEFT}" y="66">${escapeMarkup(subtitle(format, facts))}</text>`,
    ...drawGrid(facts, grid, regions),
    ...lower.drawn,
    '</svg>',
    '',
  ].join('\n')
}

function subtitle(format: string, { cells }: PictureFacts): string {
  const disk = `${format}, a disk of ${humanSize(cells.size)}`
  return cells.count === 0
    ? disk
    : `${disk}; a cell is ${humanSize(cells.span)}, its colours are shares of it`
}

function inWords(regions: readonly Region[], size: number): string {
  return regions
    .map(({ label, bytes }) => `${label}: ${humanSize(bytes)}, ${percent(bytes, size)}`)
    .join('; ')
}

function drawGrid({ cells }: PictureFacts, grid: Grid, regions: readonly Region[]): string[] {
  const drawn = [`<g transform="translate(${LEFT} ${TOP})" shape-rendering="crispEdges" id="grid">`]
  for (let row = 0; row < grid.rows; row++) {
    const [first, end] = grid.row(row)
    if (first >= end) break
    const y = row * grid.rowHeight
    const [from, to] = [first * cells.span, Math.min(end * cells.span, cells.size)]
    const here = regions.flatMap(region => {
      const bytes = cells.total(region.kind, first, end)
      return bytes === 0 ? [] : [{ ...region, bytes }]
    })
    const said = `${humanSize(from)} to ${humanSize(to)}: ${inWords(here, to - from)}`
    const strokes = segmentsOf(cells, grid, row, regions).flatMap((segments, index) =>
      segments.length === 0
        ? []
        : [`<path class="${regions[index]!.style}" d="${path(segments, y + (grid.rowHeight - 1) / 2)}"/>`],
    )
    drawn.push(
      `<g stroke-width="${grid.rowHeight - 1}"><title>${escapeMarkup(said)}</title>${strokes.join('')}</g>`,
    )
  }
  drawn.push(gaps(grid), '</g>')
  for (let row = 0; row < grid.rows && grid.count > 0; row += LABELLED) {
    drawn.push(
      `<text class="faint" x="${LEFT - 8}" y="${TOP + row * grid.rowHeight + 9}" font-size="11" text-anchor="end">${humanSize(grid.row(row)[0] * cells.span)}</text>`,
    )
  }
  return drawn
}

function path(segments: readonly { start: number; length: number }[], y: number): string {
  let x = 0
  return segments
    .map(({ start, length }, index) => {
      const move = index === 0 ? `M${start} ${y}` : `m${start - x} 0`
      x = start + length
      return `${move}h${length}`
    })
    .join('')
}

function gaps({ columns, cellWidth, height }: Grid): string {
  const lines = Array.from(
    { length: columns },
    (_, column) => `M${(column + 1) * cellWidth - 0.5} 0v${height}`,
  )
  return `<path class="gaps" pointer-events="none" d="${lines.join('')}"/>`
}

/** What stands below the grid, from top to bottom. */
class Lower {
  readonly drawn: string[] = []

  constructor(public bottom: number) {}

  /** The file as one bar. */
  storage({ storage, chain }: PictureFacts): void {
    const { data, leaked, rest } = storage!
    const total = data + leaked + rest
    const parts = [
      { style: 'd0', label: 'data', bytes: data },
      { style: 'rest', label: 'header, tables, kept free', bytes: rest },
      { style: 'leaked', label: 'leaked', bytes: leaked },
    ]
    this.bottom += 18
    this.text(
      LEFT,
      `The file: ${humanSize(chain[0]!.fileSize)}, of which ${humanSize(chain[0]!.allocated)} occupied`,
      'ink',
      600,
    )
    this.bottom += 10
    const widths = divide(
      Grid.WIDTH,
      parts.map(({ bytes }) => bytes),
    )
    let x = LEFT
    parts.forEach(({ style, label, bytes }, index) => {
      if (bytes === 0) return
      const said = `${label}: ${humanSize(bytes)}, ${percent(bytes, total)}`
      this.drawn.push(
        `<rect class="${style}" stroke-width="0" x="${x}" y="${this.bottom}" width="${widths[index]}" height="12"><title>${escapeMarkup(said)}</title></rect>`,
      )
      x += widths[index]!
    })
    this.bottom += 16
    for (const { style, label, bytes } of parts)
      if (bytes > 0 || style === 'leaked') this.row(style, label, bytes, total)
  }

  legend(regions: readonly Region[], size: number): void {
    this.bottom += 18
    this.text(LEFT, `The disk: ${humanSize(size)}`, 'ink', 600)
    this.bottom += 4
    for (const { style, label, bytes } of regions) this.row(style, label, bytes, size)
    this.bottom += 16
  }

  note(text: string): void {
    this.bottom += LINE
    this.text(LEFT, shortened(text, 130), 'faint')
  }

  private row(style: string, label: string, bytes: number, whole: number): void {
    this.bottom += LINE
    this.drawn.push(
      `<rect class="${style}" stroke-width="0" x="${LEFT}" y="${this.bottom - 10}" width="12" height="12"/>`,
    )
    this.text(LEFT + 22, shortened(label, 86), 'ink')
    this.text(LEFT + Grid.WIDTH - 84, humanSize(bytes), 'ink', 400, 'end')
    this.text(LEFT + Grid.WIDTH, percent(bytes, whole), 'faint', 400, 'end')
  }

  private text(x: number, content: string, style: string, weight = 400, anchor = 'start'): void {
    this.drawn.push(
      `<text class="${style}" x="${x}" y="${this.bottom}"${weight === 400 ? '' : ` font-weight="${weight}"`}${anchor === 'start' ? '' : ` text-anchor="${anchor}"`}>${escapeMarkup(content)}</text>`,
    )
  }
}
