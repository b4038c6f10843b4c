/** Pieces of a chart. */

export const INK = '#1f2328'
export const FAINT = '#59636e'

export interface TextStyle {
  readonly size?: number
  readonly weight?: number
  readonly fill?: string
  readonly anchor?: 'start' | 'middle' | 'end'
  /** White around the letters, where they may lie on lines. */
  readonly halo?: boolean
}

export function text(x: number, y: number, content: string, style: TextStyle = {}): string {
  const { size = 13, weight = 400, fill = INK, anchor = 'start', halo = false } = style
  const outline = halo ? ' stroke="#ffffff" stroke-width="3" paint-order="stroke"' : ''
  return `<text x="${round(x)}" y="${round(y)}" font-size="${size}" font-weight="${weight}" fill="${fill}" text-anchor="${anchor}"${outline}>${escapeMarkup(content)}</text>`
}

export function line(x1: number, y1: number, x2: number, y2: number, stroke: string, width: number): string {
  return `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" stroke="${stroke}" stroke-width="${width}"/>`
}

export function round(value: number): number {
  return Math.round(value * 10) / 10
}

export function escapeMarkup(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
