/** Colours by meaning, for light and dark. Blue, orange and grey stay apart for the colour-blind, too. */
const COLORS: Readonly<Record<string, readonly [light: string, dark: string]>> = {
  d0: ['#0a63c9', '#4493f8'],
  d1: ['#d9822b', '#e0a04a'],
  d2: ['#2b8a6b', '#3fb68b'],
  d3: ['#7d55c7', '#a988ec'],
  d4: ['#b1486f', '#d97a9c'],
  z: ['#c6d0db', '#39424d'],
  u: ['#eceff3', '#1f252d'],
  leaked: ['#cf222e', '#f85149'],
  rest: ['#7a8490', '#8b949e'],
}
const INK = ['#1f2328', '#e6edf3'] as const
const FAINT = ['#59636e', '#9198a1'] as const
const PAPER = ['#ffffff', '#0d1117'] as const

export const FONT = "system-ui, 'DejaVu Sans', sans-serif"

/** Plain classes, no variables: not every program that draws SVG knows those. */
export const PICTURE_STYLE = `${rules(0)}@media (prefers-color-scheme: dark){${rules(1)}}`

/** The same for a page around the picture. */
export const PAGE_STYLE = `${pageRules(0)}@media (prefers-color-scheme: dark){${pageRules(1)}}`

function rules(scheme: 0 | 1): string {
  const kinds = Object.entries(COLORS).map(
    ([name, pair]) => `.${name}{fill:${pair[scheme]};stroke:${pair[scheme]}}`,
  )
  return [
    ...kinds,
    `.paper{fill:${PAPER[scheme]}}`,
    `.gaps{stroke:${PAPER[scheme]}}`,
    `.ink{fill:${INK[scheme]}}`,
    `.faint{fill:${FAINT[scheme]}}`,
  ].join('')
}

function pageRules(scheme: 0 | 1): string {
  return `body{background:${PAPER[scheme]};color:${INK[scheme]}}.dim,th{color:${FAINT[scheme]}}#tip{background:${INK[scheme]};color:${PAPER[scheme]}}td,th{border-color:${COLORS.u![scheme]}}#here{stroke:${INK[scheme]}}`
}
