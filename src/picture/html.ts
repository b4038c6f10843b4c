import { createHash } from 'node:crypto'
import { humanSize } from '../sizes.js'
import { type PictureFacts, percent, regionsOf } from './facts.js'
import { Grid } from './grid.js'
import { PAGE_SCRIPT } from './html-script.js'
import { escapeMarkup, jsonInMarkup } from './markup.js'
import { PAGE_STYLE } from './style.js'
import { LEFT, svgPicture, TOP } from './svg.js'

/**
 * A page with the picture of a disk, what each cell holds (under the pointer, or by the arrow keys), and the figures in
 * tables. It needs nothing but itself, and its policy lets no script run but its own: names in it come from strangers.
 */
export function htmlPicture(facts: PictureFacts): string {
  const title = escapeMarkup(facts.title)
  const hash = createHash('sha256').update(PAGE_SCRIPT).digest('base64')
  return [
    '<!doctype html>',
    '<html lang="en">',
    '<meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${hash}'">`,
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta name="color-scheme" content="light dark">',
    `<title>${title}</title>`,
    `<style>${LAYOUT}${PAGE_STYLE}</style>`,
    '<main>',
    `<div id="map" tabindex="0" aria-label="The cells of the disk: move through them with the arrow keys">`,
    svgPicture(facts).trimEnd(),
    '<div id="tip" role="status" hidden></div>',
    '</div>',
    ...tables(facts),
    '</main>',
    `<script type="application/json" id="cells">${jsonInMarkup(forScript(facts))}</script>`,
    `<script>${PAGE_SCRIPT}</script>`,
    '</html>',
    '',
  ].join('\n')
}

const LAYOUT = `
body{margin:0;font:14px/1.45 system-ui,'DejaVu Sans',sans-serif}
main{max-width:1000px;margin:0 auto;padding:8px 0 40px}
#map{position:relative;outline-offset:-2px}
#map svg{display:block;width:100%;height:auto}
#tip{position:absolute;pointer-events:none;padding:6px 10px;border-radius:6px;font-size:13px;white-space:pre;max-width:calc(100% - 20px);overflow:hidden;text-overflow:ellipsis}
#here{fill:none;stroke-width:1.5;pointer-events:none}
h2{font-size:15px;margin:28px 0 6px}
section{padding:0 32px 0 72px;overflow-x:auto}
table{border-collapse:collapse;width:100%}
th,td{padding:4px 12px 4px 0;text-align:left;border-bottom:1px solid;overflow-wrap:anywhere;vertical-align:top}
th{font-weight:400}
.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
@media (max-width:700px){section{padding:0 12px}}
`

function tables(facts: PictureFacts): string[] {
  const { cells, chain } = facts
  const size = (bytes: number) => `<td class="n">${humanSize(bytes)}</td><td class="n">${bytes}</td>`
  return [
    '<section><h2>What the disk holds</h2>',
    '<table><thead><tr><th>Kind</th><th class="n">Size</th><th class="n">Bytes</th><th class="n">Share</th></tr></thead><tbody>',
    ...regionsOf(facts).map(
      ({ label, bytes }) =>
        `<tr><td>${escapeMarkup(label)}</td>${size(bytes)}<td class="n">${escapeMarkup(percent(bytes, cells.size))}</td></tr>`,
    ),
    '</tbody></table></section>',
    '<section><h2>The chain of images</h2>',
    '<table><thead><tr><th>Image</th><th>Format</th><th class="n">Disk</th><th class="n">File</th><th class="n">Occupied</th></tr></thead><tbody>',
    ...chain.map(
      ({ name, format, size: disk, fileSize, allocated }) =>
        `<tr><td>${escapeMarkup(name)}</td><td>${escapeMarkup(format)}</td>${[disk, fileSize, allocated]
          .map(bytes => `<td class="n">${humanSize(bytes)}</td>`)
          .join('')}</tr>`,
    ),
    '</tbody></table></section>',
  ]
}

/** What html-script.ts reads. */
export interface ScriptFacts {
  readonly size: number
  readonly span: number
  readonly left: number
  readonly top: number
  readonly cellWidth: number
  readonly rowHeight: number
  readonly columns: number
  readonly labels: readonly string[]
  /** For each cell: an index of `labels` and bytes, as often as there are kinds in it. */
  readonly cells: readonly (readonly number[])[]
}

function forScript(facts: PictureFacts): ScriptFacts {
  const { cells } = facts
  const { cellWidth, rowHeight, columns } = new Grid(cells.count)
  const regions = regionsOf(facts)
  return {
    size: cells.size,
    span: cells.span,
    left: LEFT,
    top: TOP,
    cellWidth,
    rowHeight,
    columns,
    labels: regions.map(({ label }) => label),
    cells: Array.from({ length: cells.count }, (_, cell) =>
      regions.flatMap(({ kind }, index) => {
        const bytes = cells.bytes(cell, kind)
        return bytes === 0 ? [] : [index, bytes]
      }),
    ),
  }
}
